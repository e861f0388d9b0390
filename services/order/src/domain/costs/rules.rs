//! The rules that decide what orders cost.

use std::cmp::Reverse;

use vocabulary::{Money, PromotionId, ShippingRateId, TaxRateId};

use super::{
    basis_points::BasisPoints,
    order_costs::TaxMode,
    promotion::Promotion,
    zone::{Destination, Zone},
};

/// What shipping costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShippingRate {
    pub(crate) id: ShippingRateId,
    /// For the operators.
    pub(crate) name: String,
    pub(crate) zone: Zone,
    /// It holds for orders whose goods, after discounts, cost this much or more.
    pub(crate) from_goods: Money,
    /// In the same currency.
    pub(crate) price: Money,
}

/// The tax on an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TaxRate {
    pub(crate) id: TaxRateId,
    /// What customers see.
    pub(crate) name: String,
    pub(crate) zone: Zone,
    pub(crate) rate: BasisPoints,
    pub(crate) mode: TaxMode,
    /// Whether shipping is taxed as well.
    pub(crate) taxes_shipping: bool,
}

impl TaxRate {
    /// The tax on `taxed`, in minor units.
    pub(super) fn amount_of(&self, taxed: i64) -> i64 {
        match self.mode {
            TaxMode::Included => self.rate.within(taxed),
            TaxMode::Added => self.rate.of(taxed),
        }
    }
}

/// A rule of any kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CostRule {
    Promotion(Promotion),
    ShippingRate(ShippingRate),
    TaxRate(TaxRate),
}

/// All rules. By default there are none: an order costs what its lines cost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CostRules {
    /// In the order in which they apply.
    promotions: Vec<Promotion>,
    shipping_rates: Vec<ShippingRate>,
    tax_rates: Vec<TaxRate>,
}

impl FromIterator<CostRule> for CostRules {
    fn from_iter<I: IntoIterator<Item = CostRule>>(rules: I) -> Self {
        let mut all = Self::default();
        for rule in rules {
            match rule {
                CostRule::Promotion(promotion) => all.promotions.push(promotion),
                CostRule::ShippingRate(rate) => all.shipping_rates.push(rate),
                CostRule::TaxRate(rate) => all.tax_rates.push(rate),
            }
        }
        all.promotions.sort_by_key(|promotion| (Reverse(promotion.priority), promotion.id));
        all.shipping_rates.sort_by_key(|rate| rate.id);
        all.tax_rates.sort_by_key(|rate| rate.id);
        all
    }
}

impl CostRules {
    pub(crate) fn are_none(&self) -> bool {
        self.promotions.is_empty() && self.shipping_rates.is_empty() && self.tax_rates.is_empty()
    }

    /// Whether the uses of a promotion are counted.
    pub(crate) fn have_bounds(&self) -> bool {
        self.promotions.iter().any(Promotion::is_bounded)
    }

    pub(super) fn promotion(&self, id: PromotionId) -> Option<&Promotion> {
        self.promotions.iter().find(|promotion| promotion.id == id)
    }

    /// The promotions that need no coupon, in the order in which they apply.
    pub(super) fn automatic(&self) -> impl Iterator<Item = &Promotion> {
        self.promotions.iter().filter(|promotion| !promotion.needs_coupon)
    }

    pub(super) fn have_shipping_rates(&self) -> bool {
        !self.shipping_rates.is_empty()
    }

    /// The rate of the closest zone, and of these the one with the highest `from_goods`; of equal ones the oldest.
    pub(super) fn shipping_rate(
        &self,
        destination: Destination<'_>,
        goods: Money,
    ) -> Option<&ShippingRate> {
        let fits = self.shipping_rates.iter().rev().filter(|rate| {
            rate.from_goods.currency() == goods.currency()
                && rate.from_goods.amount() <= goods.amount()
        });
        let ranked = fits.filter_map(|rate| {
            Some((rate.zone.closeness(destination)?, rate.from_goods.amount(), rate))
        });
        let best = ranked.max_by_key(|(closeness, from_goods, _)| (*closeness, *from_goods));
        best.map(|(_, _, rate)| rate)
    }

    /// The rate of the closest zone; of equal ones the oldest.
    pub(super) fn tax_rate(&self, destination: Destination<'_>) -> Option<&TaxRate> {
        let ranked = self
            .tax_rates
            .iter()
            .rev()
            .filter_map(|rate| Some((rate.zone.closeness(destination)?, rate)));
        ranked.max_by_key(|(closeness, _)| *closeness).map(|(_, rate)| rate)
    }
}
