//! A tax rate in responses.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use vocabulary::TaxRateId;

use crate::{
    domain::costs::{CostRule, TaxMode},
    storage::cost_rules::StoredRule,
};

/// The tax on an order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TaxRate)]
pub(crate) struct TaxRateBody {
    pub(super) id: TaxRateId,
    name: String,
    /// Null: everywhere.
    country: Option<String>,
    /// Null: the whole country.
    region: Option<String>,
    /// In hundredths of a percent.
    basis_points: u32,
    /// Whether the prices contain it; otherwise it is added to them.
    included: bool,
    taxes_shipping: bool,
    created_at: DateTime<Utc>,
    changed_at: DateTime<Utc>,
}

impl TaxRateBody {
    /// `None` for a rule of another kind.
    pub(super) fn new(stored: StoredRule) -> Option<Self> {
        let StoredRule { rule, created_at, changed_at } = stored;
        let CostRule::TaxRate(rate) = rule else { return None };
        Some(Self {
            id: rate.id,
            country: rate.zone.country().map(str::to_owned),
            region: rate.zone.region().map(str::to_owned),
            name: rate.name,
            basis_points: rate.rate.get(),
            included: rate.mode == TaxMode::Included,
            taxes_shipping: rate.taxes_shipping,
            created_at,
            changed_at,
        })
    }
}
