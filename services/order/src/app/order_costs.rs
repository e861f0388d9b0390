//! What the orders of a transaction cost.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use vocabulary::{CustomerId, PromotionId};

use crate::{
    domain::{
        OrderLine,
        costs::{
            CostRules, Costs, CostsError, CouponCode, Destination, PromotionUses, Purchase,
            calculate, candidates,
        },
    },
    storage::{cost_rules, promotion_uses},
};

/// What may be bought.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WantedOrder<'a> {
    pub(crate) customer: CustomerId,
    pub(crate) lines: &'a [OrderLine],
    pub(crate) destination: Destination<'a>,
    pub(crate) coupon: Option<&'a CouponCode>,
}

/// Whether the uses of promotions are read for an order that will be placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UsesFor {
    /// Their counters stay locked until the end of the transaction.
    Placing,
    Quoting,
}

/// The rules with what they depend on: the promotions of coupons, and how often promotions were used.
#[derive(Debug)]
pub(crate) struct OrderCosts {
    rules: Arc<CostRules>,
    coupons: HashMap<CouponCode, PromotionId>,
    uses: PromotionUses,
    now: DateTime<Utc>,
}

impl OrderCosts {
    /// Reads nothing unless an order has a coupon, or may use a promotion whose uses are bounded.
    pub(crate) async fn load<'a>(
        connection: &mut PgConnection,
        rules: Arc<CostRules>,
        wanted: impl Iterator<Item = WantedOrder<'a>> + Clone,
        uses_for: UsesFor,
        now: DateTime<Utc>,
    ) -> Result<Self, sqlx::Error> {
        let codes: Vec<&CouponCode> = wanted.clone().filter_map(|order| order.coupon).collect();
        let coupons = cost_rules::find_coupons(connection, &codes).await?;
        let mut costs = Self { rules, coupons, uses: PromotionUses::default(), now };
        if costs.rules.have_bounds() {
            let pairs: BTreeSet<(PromotionId, CustomerId)> = wanted
                .flat_map(|order| {
                    let found = candidates(costs.purchase(order), &costs.rules, now);
                    let pairs = found.map(|promotion| (promotion.id, order.customer));
                    pairs.collect::<Vec<_>>()
                })
                .collect();
            let pairs: Vec<(PromotionId, CustomerId)> = pairs.into_iter().collect();
            if !pairs.is_empty() {
                costs.uses = match uses_for {
                    UsesFor::Placing => promotion_uses::lock(connection, &pairs).await?,
                    UsesFor::Quoting => promotion_uses::read(connection, &pairs).await?,
                };
            }
        }
        Ok(costs)
    }

    fn purchase<'a>(&self, order: WantedOrder<'a>) -> Purchase<'a> {
        let WantedOrder { customer, lines, destination, coupon } = order;
        let coupon = coupon.map(|code| (code, self.coupons.get(code).copied()));
        Purchase { customer, lines, destination, coupon }
    }

    /// The costs of an order; `None` while the price of a line is unknown.
    pub(crate) fn of(&self, order: WantedOrder<'_>) -> Result<Option<Costs>, CostsError> {
        calculate(self.purchase(order), &self.rules, &self.uses, self.now)
    }

    /// Counts an order that is placed.
    pub(crate) fn count(&mut self, costs: Option<&Costs>, customer: CustomerId) {
        if let Some(costs) = costs {
            self.uses.add(costs, customer);
        }
    }
}
