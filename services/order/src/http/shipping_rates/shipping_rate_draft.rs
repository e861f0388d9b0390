//! What a client may say about a shipping rate.

use problem::{Fields, Problem};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vocabulary::{Money, ShippingRateId};

use crate::{
    domain::costs::ShippingRate,
    http::cost_rules::{parse_name, parse_zone},
};

// All fields are optional: then one response lists all invalid fields.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShippingRateDraft {
    /// For the operators; up to 100 characters.
    #[schema(required, nullable = false, max_length = 100, example = "Parcel")]
    name: Option<String>,
    /// ISO 3166-1: two letters. If absent, it holds everywhere that no rate with a country covers.
    #[schema(example = "CN", min_length = 2, max_length = 2)]
    country: Option<String>,
    /// Province or state, as customers write it, in any case. If absent, it holds in the whole country.
    #[schema(max_length = 100)]
    region: Option<String>,
    /// It holds for orders whose goods, after discounts, cost this much or more. If absent, for all.
    from_goods: Option<Money>,
    /// What shipping costs; 0 if it is free.
    #[schema(required, nullable = false)]
    price: Option<Money>,
}

impl ShippingRateDraft {
    /// 422 with every invalid field.
    pub(super) fn parse(self, id: ShippingRateId) -> Result<ShippingRate, Problem> {
        let mut fields = Fields::new();
        let name = parse_name(&mut fields, self.name);
        let zone = parse_zone(&mut fields, self.country, self.region);
        let price = fields.require("price", self.price);
        let from_goods = self.from_goods.or_else(|| Some(Money::zero(price?.currency())));
        if let (Some(price), Some(from_goods)) = (price, from_goods)
            && price.currency() != from_goods.currency()
        {
            fields.refuse("from_goods", "invalid", "must be in the currency of the price");
        }
        fields.finish_with(|| {
            let (name, zone) = (name?, zone?);
            Some(ShippingRate { id, name, zone, from_goods: from_goods?, price: price? })
        })
    }
}
