//! What a client may say about a tax rate.

use problem::{Fields, Problem};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vocabulary::TaxRateId;

use crate::{
    domain::costs::{BasisPoints, TaxMode, TaxRate},
    http::cost_rules::{parse_name, parse_zone},
};

// All fields are optional: then one response lists all invalid fields.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TaxRateDraft {
    /// What customers see; up to 100 characters.
    #[schema(required, nullable = false, max_length = 100, example = "VAT")]
    name: Option<String>,
    /// ISO 3166-1: two letters. If absent, it holds everywhere that no rate with a country covers.
    #[schema(example = "CN", min_length = 2, max_length = 2)]
    country: Option<String>,
    /// Province or state, as customers write it, in any case. If absent, it holds in the whole country.
    #[schema(max_length = 100)]
    region: Option<String>,
    /// In hundredths of a percent: 1300 is 13 %.
    #[schema(required, nullable = false, minimum = 0, maximum = 10_000, example = 1300)]
    basis_points: Option<i64>,
    /// Whether the prices contain it; otherwise it is added to them.
    #[schema(required, nullable = false)]
    included: Option<bool>,
    /// Whether shipping is taxed as well.
    #[serde(default)]
    taxes_shipping: bool,
}

impl TaxRateDraft {
    /// 422 with every invalid field.
    pub(super) fn parse(self, id: TaxRateId) -> Result<TaxRate, Problem> {
        let mut fields = Fields::new();
        let name = parse_name(&mut fields, self.name);
        let zone = parse_zone(&mut fields, self.country, self.region);
        let rate = fields.require("basis_points", self.basis_points);
        let rate = rate.and_then(|rate| fields.check("basis_points", BasisPoints::try_from(rate)));
        let included = fields.require("included", self.included);
        let taxes_shipping = self.taxes_shipping;
        fields.finish_with(|| {
            let (name, zone, rate) = (name?, zone?, rate?);
            let mode = if included? { TaxMode::Included } else { TaxMode::Added };
            Some(TaxRate { id, name, zone, rate, mode, taxes_shipping })
        })
    }
}
