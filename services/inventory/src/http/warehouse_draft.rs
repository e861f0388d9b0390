//! The request body for a warehouse.

use problem::{Fields, Problem};
use serde::{Deserialize, Serialize};

use crate::domain::Site;

/// The maximum length of a name, in characters.
const MAX_NAME: usize = 100;

/// The bound of a priority, in both directions.
const MAX_PRIORITY: i32 = 1_000_000;

/// What a client says about a warehouse.
#[derive(Debug, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewWarehouse)]
pub(super) struct WarehouseDraft {
    /// Unique among all warehouses.
    #[schema(min_length = 1, max_length = 100, example = "Hangzhou")]
    name: String,
    /// Warehouses with a higher one serve orders first. Default: 0.
    #[serde(default)]
    #[schema(minimum = -1_000_000, maximum = 1_000_000)]
    priority: i32,
    /// Where it stands: a country, or a part of one as in ISO 3166-2 or as in the addresses of your customers. Of warehouses with
    /// the same priority, the nearest to the customer serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "CN-浙江省")]
    region: Option<String>,
}

impl WarehouseDraft {
    /// The name and the site; 422 with every invalid field.
    pub(super) fn parse(self) -> Result<(String, Site), Problem> {
        let Self { name, priority, region } = self;
        let mut fields = Fields::new();
        let fits = (1..=MAX_NAME).contains(&name.chars().count());
        if !fits || name.trim() != name || name.chars().any(char::is_control) {
            let message = format!(
                "must be 1 to {MAX_NAME} characters without control characters or surrounding spaces"
            );
            fields.refuse("name", "invalid", message);
        }
        if !(-MAX_PRIORITY..=MAX_PRIORITY).contains(&priority) {
            let message = format!("must be -{MAX_PRIORITY} to {MAX_PRIORITY}");
            fields.refuse("priority", "out_of_range", message);
        }
        let region = region.map(|region| fields.check("region", region.parse()));
        fields.finish()?;
        Ok((name, Site { priority, region: region.flatten() }))
    }
}
