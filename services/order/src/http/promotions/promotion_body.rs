//! A promotion in responses.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use vocabulary::{Money, ProductId, PromotionId, Sku};

use crate::{
    domain::costs::{Benefit, CostRule, CouponCode},
    storage::cost_rules::StoredRule,
};

/// A promotion. It has one of `basis_points_off`, `amount_off` and `free_shipping`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Promotion)]
pub(crate) struct PromotionBody {
    pub(super) id: PromotionId,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    basis_points_off: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount_off: Option<Money>,
    #[serde(skip_serializing_if = "Option::is_none")]
    free_shipping: Option<bool>,
    products: BTreeSet<ProductId>,
    skus: BTreeSet<Sku>,
    min_goods: Option<Money>,
    starts_at: Option<DateTime<Utc>>,
    ends_at: Option<DateTime<Utc>>,
    priority: u16,
    stackable: bool,
    /// Sorted. Null: it needs none.
    coupons: Option<Vec<String>>,
    max_uses: Option<u32>,
    max_uses_per_customer: Option<u32>,
    /// The orders that use it, without those that ended early. Counted while its uses are bounded.
    uses: u64,
    created_at: DateTime<Utc>,
    changed_at: DateTime<Utc>,
}

impl PromotionBody {
    /// `None` for a rule of another kind.
    pub(super) fn new(stored: StoredRule, coupons: &[CouponCode], uses: u64) -> Option<Self> {
        let StoredRule { rule, created_at, changed_at } = stored;
        let CostRule::Promotion(promotion) = rule else { return None };
        let (basis_points_off, amount_off, free_shipping) = match promotion.benefit {
            Benefit::PercentOff(percent) => (Some(percent.get()), None, None),
            Benefit::AmountOff(amount) => (None, Some(amount), None),
            Benefit::FreeShipping => (None, None, Some(true)),
        };
        let codes = || coupons.iter().map(ToString::to_string).collect();
        Some(Self {
            id: promotion.id,
            name: promotion.name,
            basis_points_off,
            amount_off,
            free_shipping,
            products: promotion.products,
            skus: promotion.skus,
            min_goods: promotion.min_goods,
            starts_at: promotion.starts_at,
            ends_at: promotion.ends_at,
            priority: promotion.priority,
            stackable: promotion.is_stackable,
            coupons: promotion.needs_coupon.then(codes),
            max_uses: promotion.max_uses,
            max_uses_per_customer: promotion.max_uses_per_customer,
            uses,
            created_at,
            changed_at,
        })
    }
}
