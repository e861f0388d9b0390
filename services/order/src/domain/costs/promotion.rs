//! Promotions, which discount orders.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use vocabulary::{Money, ProductId, PromotionId, Sku};

use super::basis_points::BasisPoints;
use crate::domain::line::OrderLine;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Promotion {
    pub(crate) id: PromotionId,
    /// What customers see.
    pub(crate) name: String,
    pub(crate) benefit: Benefit,
    /// The products and SKUs that it discounts; all, if both are empty.
    pub(crate) products: BTreeSet<ProductId>,
    pub(crate) skus: BTreeSet<Sku>,
    /// The least goods of an order, before discounts.
    pub(crate) min_goods: Option<Money>,
    pub(crate) starts_at: Option<DateTime<Utc>>,
    /// The first moment at which it no longer holds.
    pub(crate) ends_at: Option<DateTime<Utc>>,
    /// Higher ones apply first.
    pub(crate) priority: u16,
    /// Whether it applies together with other promotions.
    pub(crate) is_stackable: bool,
    /// Whether it applies only to customers who enter one of its codes.
    pub(crate) needs_coupon: bool,
    /// The most orders that may use it.
    pub(crate) max_uses: Option<u32>,
    /// The most orders of one customer that may use it.
    pub(crate) max_uses_per_customer: Option<u32>,
}

/// What a promotion takes off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Benefit {
    PercentOff(BasisPoints),
    /// At most what the lines cost.
    AmountOff(Money),
    FreeShipping,
}

/// Why a promotion does not apply to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unmet {
    NotInForce,
    MinGoods(Money),
    Currency,
    NoLine,
}

impl Promotion {
    /// Whether its uses are counted.
    pub(crate) const fn is_bounded(&self) -> bool {
        self.max_uses.is_some() || self.max_uses_per_customer.is_some()
    }

    pub(super) fn discounts(&self, line: &OrderLine) -> bool {
        if self.products.is_empty() && self.skus.is_empty() {
            return true;
        }
        let product = line.offer.as_ref().map(|offer| offer.product);
        self.skus.contains(&line.sku)
            || product.is_some_and(|product| self.products.contains(&product))
    }

    /// Whether the order meets its conditions, whatever other promotions apply and however often it was used.
    pub(super) fn check(
        &self,
        lines: &[OrderLine],
        goods: Money,
        now: DateTime<Utc>,
    ) -> Result<(), Unmet> {
        let has_started = self.starts_at.is_none_or(|start| start <= now);
        let has_ended = self.ends_at.is_some_and(|end| end <= now);
        if !has_started || has_ended {
            return Err(Unmet::NotInForce);
        }
        if let Benefit::AmountOff(amount) = self.benefit
            && amount.currency() != goods.currency()
        {
            return Err(Unmet::Currency);
        }
        if let Some(least) = self.min_goods {
            if least.currency() != goods.currency() {
                return Err(Unmet::Currency);
            }
            if goods.amount() < least.amount() {
                return Err(Unmet::MinGoods(least));
            }
        }
        if lines.iter().any(|line| self.discounts(line)) { Ok(()) } else { Err(Unmet::NoLine) }
    }
}
