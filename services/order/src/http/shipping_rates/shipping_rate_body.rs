//! A shipping rate in responses.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use vocabulary::{Money, ShippingRateId};

use crate::{domain::costs::CostRule, storage::cost_rules::StoredRule};

/// What shipping costs.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ShippingRate)]
pub(crate) struct ShippingRateBody {
    pub(super) id: ShippingRateId,
    name: String,
    /// Null: everywhere.
    country: Option<String>,
    /// Null: the whole country.
    region: Option<String>,
    from_goods: Money,
    price: Money,
    created_at: DateTime<Utc>,
    changed_at: DateTime<Utc>,
}

impl ShippingRateBody {
    /// `None` for a rule of another kind.
    pub(super) fn new(stored: StoredRule) -> Option<Self> {
        let StoredRule { rule, created_at, changed_at } = stored;
        let CostRule::ShippingRate(rate) = rule else { return None };
        Some(Self {
            id: rate.id,
            country: rate.zone.country().map(str::to_owned),
            region: rate.zone.region().map(str::to_owned),
            name: rate.name,
            from_goods: rate.from_goods,
            price: rate.price,
            created_at,
            changed_at,
        })
    }
}
