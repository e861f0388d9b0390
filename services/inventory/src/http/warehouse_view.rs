//! The response body for a warehouse, and the problems of changing it.

use chrono::{DateTime, Utc};
use problem::Problem;
use serde::Serialize;
use vocabulary::WarehouseId;

use crate::domain::{Region, Warehouse};

/// A place that holds stock.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Warehouse)]
pub(super) struct WarehouseView {
    id: WarehouseId,
    name: String,
    /// Whether requests that name no warehouse use this one.
    default: bool,
    /// Warehouses with a higher one serve orders first.
    priority: i32,
    /// Where it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "CN-ZJ")]
    region: Option<String>,
    opened_at: DateTime<Utc>,
}

impl From<Warehouse> for WarehouseView {
    fn from(warehouse: Warehouse) -> Self {
        let default = warehouse.is_default();
        let Warehouse { id, name, site, opened_at } = warehouse;
        let region = site.region.as_ref().map(Region::to_string);
        Self { id, name, default, priority: site.priority, region, opened_at }
    }
}

/// 409 for a name that another warehouse has.
pub(super) fn warehouse_name_taken() -> Problem {
    Problem::conflict("warehouse_name_taken", "Another warehouse has this name")
}
