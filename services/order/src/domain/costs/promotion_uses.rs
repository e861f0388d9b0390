//! How often bounded promotions were used.

use std::collections::HashMap;

use vocabulary::{CustomerId, PromotionId};

use super::{order_costs::Costs, promotion::Promotion};

/// The uses of promotions, in total and by customer. A promotion that is not in it cannot be used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PromotionUses {
    totals: HashMap<PromotionId, u64>,
    by_customer: HashMap<(PromotionId, CustomerId), u64>,
}

impl PromotionUses {
    pub(crate) fn set_total(&mut self, promotion: PromotionId, uses: u64) {
        self.totals.insert(promotion, uses);
    }

    pub(crate) fn set_by_customer(
        &mut self,
        promotion: PromotionId,
        customer: CustomerId,
        uses: u64,
    ) {
        self.by_customer.insert((promotion, customer), uses);
    }

    /// Whether another order of the customer may use the promotion.
    pub(super) fn allow(&self, promotion: &Promotion, customer: CustomerId) -> bool {
        if !promotion.is_bounded() {
            return true;
        }
        let Some(total) = self.totals.get(&promotion.id).copied() else { return false };
        let own = self.by_customer.get(&(promotion.id, customer)).copied().unwrap_or_default();
        promotion.max_uses.is_none_or(|most| total < most.into())
            && promotion.max_uses_per_customer.is_none_or(|most| own < most.into())
    }

    /// Counts an order of the customer.
    pub(crate) fn add(&mut self, costs: &Costs, customer: CustomerId) {
        for discount in costs.counted_promotions() {
            *self.totals.entry(discount.promotion).or_default() += 1;
            *self.by_customer.entry((discount.promotion, customer)).or_default() += 1;
        }
    }
}
