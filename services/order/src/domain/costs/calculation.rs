//! Calculates what an order costs.
//!
//! Every percentage is rounded once for the order, half up, and then allocated to the lines by the largest remainders. So
//! the parts of the lines add up to what the order shows, and a line that is returned has one exact share.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use vocabulary::{CustomerId, InvalidMoney, Money, PromotionId};

use super::{
    allocation::allocate,
    coupon::CouponCode,
    order_costs::{Costs, Discount, DiscountedPart, InvalidCosts, LineShare, Tax},
    promotion::{Benefit, Promotion, Unmet},
    promotion_uses::PromotionUses,
    rules::{CostRules, TaxRate},
    zone::Destination,
};
use crate::domain::line::{OrderLine, total};

/// What is bought, where it goes, and the coupon of the customer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Purchase<'a> {
    pub(crate) customer: CustomerId,
    pub(crate) lines: &'a [OrderLine],
    pub(crate) destination: Destination<'a>,
    /// With its promotion, if the code exists.
    pub(crate) coupon: Option<(&'a CouponCode, Option<PromotionId>)>,
}

/// Why the costs of an order cannot be calculated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CostsError {
    #[error(transparent)]
    Money(#[from] InvalidMoney),
    #[error("the coupon cannot be used: {0}")]
    Coupon(#[from] CouponRefusal),
    /// There are shipping rates, and none for this order.
    #[error("no shipping rate covers the destination and the goods")]
    NoShippingRate,
}

/// Why a coupon cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CouponRefusal {
    #[error("there is no such code")]
    Unknown,
    #[error("its promotion is not in force")]
    NotInForce { starts_at: Option<DateTime<Utc>>, ends_at: Option<DateTime<Utc>> },
    #[error("it was used as often as allowed")]
    UsedUp,
    #[error("it needs goods of {0} or more")]
    MinGoods(Money),
    #[error("it does not apply to any line")]
    NoLine,
    #[error("it is for orders in another currency")]
    Currency,
    #[error("the price of a line is not known yet")]
    PriceUnknown,
}

/// The bounded promotions whose conditions the order meets. Which of them it uses depends on how often they were used.
pub(crate) fn candidates<'a>(
    purchase: Purchase<'a>,
    rules: &'a CostRules,
    now: DateTime<Utc>,
) -> impl Iterator<Item = &'a Promotion> {
    let goods = total(purchase.lines).ok().flatten();
    let with_coupon = purchase.coupon.and_then(|(_, promotion)| rules.promotion(promotion?));
    with_coupon.into_iter().chain(rules.automatic()).filter(move |promotion| {
        promotion.is_bounded()
            && goods.is_some_and(|goods| promotion.check(purchase.lines, goods, now).is_ok())
    })
}

/// The costs of an order; `None` while the price of a line is unknown. The promotion of the coupon applies first, then
/// the others by their priority.
pub(crate) fn calculate(
    purchase: Purchase<'_>,
    rules: &CostRules,
    uses: &PromotionUses,
    now: DateTime<Utc>,
) -> Result<Option<Costs>, CostsError> {
    let Some(goods) = total(purchase.lines)? else {
        return match purchase.coupon {
            Some(_) => Err(CouponRefusal::PriceUnknown.into()),
            None => Ok(None),
        };
    };
    if rules.are_none() && purchase.coupon.is_none() {
        return Ok(Some(Costs::of_goods(goods)));
    }
    let mut calculation = Calculation::new(purchase, goods)?;
    calculation.apply_promotions(rules, uses, now)?;
    calculation.add_shipping(rules)?;
    let tax = rules.tax_rate(purchase.destination).map(|rate| calculation.tax(rate)).transpose()?;
    Ok(Some(calculation.finish(tax)?))
}

/// Amounts are minor units of the currency of `goods`.
struct Calculation<'a> {
    purchase: Purchase<'a>,
    goods: Money,
    /// What each line costs after the discounts so far.
    net: Vec<i64>,
    shares: Vec<LineShare>,
    discounts: Vec<Discount>,
    shipping: Money,
    /// The promotion that makes shipping free.
    free_shipping: Option<(&'a Promotion, Option<&'a CouponCode>)>,
}

impl<'a> Calculation<'a> {
    fn new(purchase: Purchase<'a>, goods: Money) -> Result<Self, InvalidMoney> {
        let cost = |line: &OrderLine| match &line.offer {
            Some(offer) => Ok(offer.price.times(line.quantity)?.amount()),
            None => Ok(0),
        };
        Ok(Self {
            purchase,
            goods,
            net: purchase.lines.iter().map(cost).collect::<Result<_, InvalidMoney>>()?,
            shares: vec![LineShare::default(); purchase.lines.len()],
            discounts: Vec::new(),
            shipping: Money::zero(goods.currency()),
            free_shipping: None,
        })
    }
}

impl<'a> Calculation<'a> {
    fn money(&self, amount: i64) -> Result<Money, InvalidMoney> {
        Money::new(amount, self.goods.currency())
    }

    fn apply_promotions(
        &mut self,
        rules: &'a CostRules,
        uses: &PromotionUses,
        now: DateTime<Utc>,
    ) -> Result<(), CostsError> {
        let Purchase { lines, customer, coupon, .. } = self.purchase;
        let mut has_applied = false;
        if let Some((code, promotion)) = coupon {
            let promotion = promotion.and_then(|promotion| rules.promotion(promotion));
            let promotion = promotion.ok_or(CouponRefusal::Unknown)?;
            promotion
                .check(lines, self.goods, now)
                .map_err(|unmet| CouponRefusal::new(unmet, promotion))?;
            if !uses.allow(promotion, customer) {
                return Err(CouponRefusal::UsedUp.into());
            }
            self.apply(promotion, Some(code))?;
            if !promotion.is_stackable {
                return Ok(());
            }
            has_applied = true;
        }
        for promotion in rules.automatic() {
            if has_applied && !promotion.is_stackable
                || promotion.check(lines, self.goods, now).is_err()
                || !uses.allow(promotion, customer)
            {
                continue;
            }
            has_applied |= self.apply(promotion, None)?;
            if has_applied && !promotion.is_stackable {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Returns whether it takes anything off.
    fn apply(
        &mut self,
        promotion: &'a Promotion,
        coupon: Option<&'a CouponCode>,
    ) -> Result<bool, InvalidMoney> {
        let weight = |(line, net): (&OrderLine, &i64)| {
            if promotion.discounts(line) { *net } else { 0 }
        };
        let weights: Vec<i64> = self.purchase.lines.iter().zip(&self.net).map(weight).collect();
        let discounted: i64 = weights.iter().sum();
        let amount = match promotion.benefit {
            Benefit::PercentOff(percent) => percent.of(discounted),
            Benefit::AmountOff(amount) => amount.amount().min(discounted),
            Benefit::FreeShipping => {
                let is_first = self.free_shipping.is_none();
                if is_first {
                    self.free_shipping = Some((promotion, coupon));
                }
                return Ok(is_first);
            }
        };
        if amount == 0 {
            return Ok(false);
        }
        for (place, part) in allocate(amount, &weights).into_iter().enumerate() {
            self.net[place] -= part;
            self.shares[place].discount += part;
        }
        let amount = self.money(amount)?;
        self.discounts.push(discount(promotion, coupon, DiscountedPart::Goods, amount));
        Ok(true)
    }

    fn add_shipping(&mut self, rules: &CostRules) -> Result<(), CostsError> {
        if !rules.have_shipping_rates() {
            return Ok(());
        }
        let goods = self.money(self.net.iter().sum())?;
        let rate = rules.shipping_rate(self.purchase.destination, goods);
        self.shipping = rate.ok_or(CostsError::NoShippingRate)?.price;
        if let Some((promotion, coupon)) = self.free_shipping
            && self.shipping.amount() > 0
        {
            let amount = self.shipping;
            self.discounts.push(discount(promotion, coupon, DiscountedPart::Shipping, amount));
        }
        Ok(())
    }

    /// The tax, with the shares of the lines.
    fn tax(&mut self, rate: &TaxRate) -> Result<Tax, InvalidMoney> {
        let is_taxed = rate.taxes_shipping && self.free_shipping.is_none();
        let shipping = if is_taxed { self.shipping.amount() } else { 0 };
        // The last weight is that of the shipping.
        let weights: Vec<i64> = self.net.iter().copied().chain([shipping]).collect();
        let taxed: i64 = weights.iter().sum();
        let amount = rate.amount_of(taxed);
        for (share, part) in self.shares.iter_mut().zip(allocate(amount, &weights)) {
            share.tax = part;
        }
        let amount = self.money(amount)?;
        Ok(Tax { name: rate.name.clone(), rate: rate.rate, mode: rate.mode, amount })
    }

    fn finish(self, tax: Option<Tax>) -> Result<Costs, InvalidMoney> {
        let shares = self.purchase.lines.iter().zip(self.shares);
        let shares: BTreeMap<_, _> = shares
            .filter(|(_, share)| *share != LineShare::default())
            .map(|(line, share)| (line.sku.clone(), share))
            .collect();
        let costs = Costs::new(self.goods, self.discounts, self.shipping, tax, shares);
        costs.map_err(|error| match error {
            InvalidCosts::Money(error) => error,
            // The calculation takes off no more than there is.
            InvalidCosts::DiscountTooLarge(_) | InvalidCosts::Shares => InvalidMoney::Negative,
        })
    }
}

fn discount(
    promotion: &Promotion,
    coupon: Option<&CouponCode>,
    part: DiscountedPart,
    amount: Money,
) -> Discount {
    Discount {
        promotion: promotion.id,
        name: promotion.name.clone(),
        coupon: coupon.cloned(),
        part,
        amount,
        is_counted: promotion.is_bounded(),
    }
}

impl CouponRefusal {
    fn new(unmet: Unmet, promotion: &Promotion) -> Self {
        match unmet {
            Unmet::NotInForce => {
                Self::NotInForce { starts_at: promotion.starts_at, ends_at: promotion.ends_at }
            }
            Unmet::MinGoods(least) => Self::MinGoods(least),
            Unmet::Currency => Self::Currency,
            Unmet::NoLine => Self::NoLine,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, time::Duration};

    use chrono::{DateTime, Utc};
    use proptest::prelude::*;
    use vocabulary::{
        Currency, CustomerId, Money, PromotionId, Quantity, ShippingRateId, TaxRateId,
    };

    use super::{CostsError, CouponRefusal, Purchase, calculate, candidates};
    use crate::domain::{
        Offer, OrderLine,
        costs::{
            BasisPoints, Benefit, CostRule, CostRules, Costs, CouponCode, Destination, Promotion,
            PromotionUses, ShippingRate, TaxMode, TaxRate, Zone,
        },
    };

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn cny(amount: i64) -> Money {
        Money::new(amount, Currency::CNY).unwrap()
    }

    fn points(number: i64) -> BasisPoints {
        number.try_into().unwrap()
    }

    fn line(sku: &str, quantity: u32, price: i64) -> OrderLine {
        let offer = Offer::priced(cny(price));
        let quantity = Quantity::new(quantity).unwrap();
        OrderLine {
            sku: sku.parse().unwrap(),
            quantity,
            cancelled: 0,
            returned: 0,
            offer: Some(offer),
        }
    }

    fn promotion(benefit: Benefit) -> Promotion {
        Promotion {
            id: PromotionId::new(),
            name: "Sale".to_owned(),
            benefit,
            products: BTreeSet::new(),
            skus: BTreeSet::new(),
            min_goods: None,
            starts_at: None,
            ends_at: None,
            priority: 0,
            is_stackable: true,
            needs_coupon: false,
            max_uses: None,
            max_uses_per_customer: None,
        }
    }

    fn percent(number: i64) -> Promotion {
        promotion(Benefit::PercentOff(points(number)))
    }

    fn zone(country: &str) -> Zone {
        Zone::new(Some(country.to_owned()), None).unwrap()
    }

    fn shipping(zone: Zone, from_goods: i64, price: i64) -> CostRule {
        let (id, name) = (ShippingRateId::new(), "Parcel".to_owned());
        let (from_goods, price) = (cny(from_goods), cny(price));
        CostRule::ShippingRate(ShippingRate { id, name, zone, from_goods, price })
    }

    fn tax(zone: Zone, rate: i64, mode: TaxMode, taxes_shipping: bool) -> CostRule {
        let (id, name) = (TaxRateId::new(), "VAT".to_owned());
        CostRule::TaxRate(TaxRate { id, name, zone, rate: points(rate), mode, taxes_shipping })
    }

    fn purchase(lines: &[OrderLine]) -> Purchase<'_> {
        let destination = Destination { country: "CN", region: None };
        Purchase { customer: CustomerId::new(), lines, destination, coupon: None }
    }

    fn rules(rules: impl IntoIterator<Item = CostRule>) -> CostRules {
        rules.into_iter().collect()
    }

    fn costs_of(lines: &[OrderLine], rules: &CostRules) -> Costs {
        calculate(purchase(lines), rules, &PromotionUses::default(), NOW).unwrap().unwrap()
    }

    fn amounts(costs: &Costs) -> Vec<i64> {
        costs.discounts().iter().map(|discount| discount.amount.amount()).collect()
    }

    #[test]
    fn without_rules_an_order_costs_its_lines() {
        let lines = [line("A", 2, 100), line("B", 1, 50)];
        assert_eq!(costs_of(&lines, &CostRules::default()), Costs::of_goods(cny(250)));
    }

    #[test]
    fn goods_less_discounts_with_shipping_and_tax_are_the_total() {
        let lines = [line("A", 2, 5_000), line("B", 1, 999)];
        let added = rules([
            CostRule::Promotion(percent(1_000)),
            shipping(Zone::default(), 0, 800),
            tax(Zone::default(), 1_300, TaxMode::Added, true),
        ]);
        let costs = costs_of(&lines, &added);
        // 10 % of 109.99 is 11.00; 13 % of 98.99 and 8.00 is 13.91.
        assert_eq!((costs.goods(), amounts(&costs)), (cny(10_999), vec![1_100]));
        assert_eq!(costs.tax().unwrap().amount, cny(1_391));
        assert_eq!(costs.total(), cny(10_999 - 1_100 + 800 + 1_391));
        let shares: Vec<(i64, i64)> =
            costs.shares().values().map(|share| (share.discount, share.tax)).collect();
        assert_eq!(shares, [(1_000, 1_170), (100, 117)]);

        let included = rules([tax(Zone::default(), 1_300, TaxMode::Included, false)]);
        let costs = costs_of(&[line("A", 1, 11_300)], &included);
        assert_eq!((costs.tax().unwrap().amount, costs.total()), (cny(1_300), cny(11_300)));
    }

    #[test]
    fn promotions_apply_by_priority_and_only_together_if_stackable() {
        let lines = [line("A", 1, 10_000)];
        let with = |first: Promotion, second: Promotion| {
            amounts(&costs_of(
                &lines,
                &rules([CostRule::Promotion(second), CostRule::Promotion(first)]),
            ))
        };
        let (mut first, second) = (percent(5_000), promotion(Benefit::AmountOff(cny(1_000))));
        first.priority = 1;
        // Half of 100.00, then 10.00 off.
        assert_eq!(with(first.clone(), second.clone()), [5_000, 1_000]);
        let exclusive = Promotion { is_stackable: false, ..first.clone() };
        assert_eq!(with(exclusive, second.clone()), [5_000]);
        let exclusive = Promotion { is_stackable: false, ..second };
        assert_eq!(with(first, exclusive), [5_000]);
    }

    #[test]
    fn a_discount_is_not_larger_than_the_lines_that_it_discounts() {
        let lines = [line("A", 1, 300), line("B", 1, 9_700)];
        let mut of_a = promotion(Benefit::AmountOff(cny(1_000)));
        of_a.skus.insert("A".parse().unwrap());
        let costs = costs_of(&lines, &rules([CostRule::Promotion(of_a.clone())]));
        assert_eq!((amounts(&costs), costs.total()), (vec![300], cny(9_700)));
        of_a.skus = BTreeSet::from(["C".parse().unwrap()]);
        let costs = costs_of(&lines, &rules([CostRule::Promotion(of_a.clone())]));
        assert_eq!(amounts(&costs), [0; 0]);
        of_a.products.insert(lines[1].offer.as_ref().unwrap().product);
        let costs = costs_of(&lines, &rules([CostRule::Promotion(of_a)]));
        assert_eq!(costs.total(), cny(9_000));
        let everything = promotion(Benefit::AmountOff(cny(1_000_000)));
        let costs = costs_of(&lines, &rules([CostRule::Promotion(everything)]));
        assert_eq!(costs.total(), cny(0));
    }

    #[test]
    fn a_promotion_holds_from_its_start_to_its_end() {
        let lines = [line("A", 1, 10_000)];
        let second = Duration::from_secs(1);
        for (starts_at, ends_at, holds) in [
            (None, None, true),
            (Some(NOW), Some(NOW + second), true),
            (Some(NOW + second), None, false),
            (None, Some(NOW), false),
        ] {
            let timed = Promotion { starts_at, ends_at, ..percent(1_000) };
            let costs = costs_of(&lines, &rules([CostRule::Promotion(timed)]));
            assert_eq!(!amounts(&costs).is_empty(), holds, "{starts_at:?} {ends_at:?}");
        }
    }

    #[test]
    fn the_closest_rate_from_the_goods_after_discounts_holds() {
        let rates = rules([
            shipping(Zone::default(), 0, 9_000),
            shipping(zone("CN"), 0, 1_000),
            shipping(zone("CN"), 9_900, 0),
            CostRule::Promotion(promotion(Benefit::AmountOff(cny(100)))),
        ]);
        let shipping_of = |price| costs_of(&[line("A", 1, price)], &rates).shipping().amount();
        assert_eq!((shipping_of(9_999), shipping_of(10_000)), (1_000, 0));
        let lines = [line("A", 1, 10_000)];
        let abroad = Destination { country: "US", region: None };
        let order = Purchase { destination: abroad, ..purchase(&lines) };
        let uses = PromotionUses::default();
        let costs = calculate(order, &rates, &uses, NOW).unwrap().unwrap();
        assert_eq!(costs.shipping(), cny(9_000));
        let only_home = rules([shipping(zone("CN"), 0, 1_000)]);
        assert_eq!(calculate(order, &only_home, &uses, NOW), Err(CostsError::NoShippingRate));
    }

    #[test]
    fn free_shipping_takes_off_what_shipping_costs() {
        let free = rules([
            shipping(Zone::default(), 0, 800),
            CostRule::Promotion(promotion(Benefit::FreeShipping)),
            tax(Zone::default(), 1_000, TaxMode::Added, true),
        ]);
        let costs = costs_of(&[line("A", 1, 10_000)], &free);
        assert_eq!((costs.shipping(), amounts(&costs)), (cny(800), vec![800]));
        assert_eq!(costs.total(), cny(11_000));
    }

    #[test]
    fn a_coupon_tells_why_it_cannot_be_used() {
        let code: CouponCode = "SUMMER".parse().unwrap();
        let lines = [line("A", 1, 10_000)];
        let base = Promotion { needs_coupon: true, ..percent(1_000) };
        let refusal = |promotion: Promotion| {
            let coupon = Some((&code, Some(promotion.id)));
            let order = Purchase { coupon, ..purchase(&lines) };
            let rules = rules([CostRule::Promotion(promotion)]);
            match calculate(order, &rules, &PromotionUses::default(), NOW) {
                Err(CostsError::Coupon(refusal)) => Some(refusal),
                Ok(Some(costs)) => {
                    assert_eq!(costs.discounts()[0].coupon.as_ref(), Some(&code));
                    None
                }
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(refusal(base.clone()), None);
        let ended = Promotion { ends_at: Some(NOW), ..base.clone() };
        let not_in_force = CouponRefusal::NotInForce { starts_at: None, ends_at: Some(NOW) };
        assert_eq!(refusal(ended), Some(not_in_force));
        let dear = Promotion { min_goods: Some(cny(10_001)), ..base.clone() };
        assert_eq!(refusal(dear), Some(CouponRefusal::MinGoods(cny(10_001))));
        let other = BTreeSet::from(["B".parse().unwrap()]);
        assert_eq!(refusal(Promotion { skus: other, ..base.clone() }), Some(CouponRefusal::NoLine));
        let bounded = Promotion { max_uses: Some(1), ..base.clone() };
        assert_eq!(refusal(bounded), Some(CouponRefusal::UsedUp), "its uses are not known");

        let unknown = Purchase { coupon: Some((&code, None)), ..purchase(&lines) };
        let answer = calculate(unknown, &CostRules::default(), &PromotionUses::default(), NOW);
        assert_eq!(answer, Err(CostsError::Coupon(CouponRefusal::Unknown)));
        // Without its coupon it does not apply.
        let costs = costs_of(&lines, &rules([CostRule::Promotion(base)]));
        assert_eq!(costs.total(), cny(10_000));
    }

    #[test]
    fn uses_are_bounded_in_total_and_by_customer() {
        let lines = [line("A", 1, 10_000)];
        let bounded =
            Promotion { max_uses: Some(3), max_uses_per_customer: Some(2), ..percent(1_000) };
        let (id, rules) = (bounded.id, rules([CostRule::Promotion(bounded)]));
        let order = purchase(&lines);
        let found: Vec<PromotionId> = candidates(order, &rules, NOW).map(|one| one.id).collect();
        assert_eq!(found, [id]);
        let mut uses = PromotionUses::default();
        uses.set_total(id, 0);
        let mut is_used = |order: Purchase<'_>| {
            let costs = calculate(order, &rules, &uses, NOW).unwrap().unwrap();
            uses.add(&costs, order.customer);
            !costs.discounts().is_empty()
        };
        assert_eq!([is_used(order), is_used(order), is_used(order)], [true, true, false]);
        let other = Purchase { customer: CustomerId::new(), ..order };
        assert_eq!([is_used(other), is_used(other)], [true, false]);
    }

    fn any_promotion() -> impl Strategy<Value = Promotion> {
        let benefit = prop_oneof![
            (0_i64..=10_000).prop_map(|percent| Benefit::PercentOff(points(percent))),
            (0_i64..=1_000_000).prop_map(|amount| Benefit::AmountOff(cny(amount))),
            Just(Benefit::FreeShipping),
        ];
        (benefit, any::<bool>(), 0_u16..3, prop::collection::btree_set("[A-D]", 0..3)).prop_map(
            |(benefit, is_stackable, priority, skus)| {
                let skus = skus.iter().map(|sku| sku.parse().unwrap()).collect();
                Promotion { skus, priority, is_stackable, ..promotion(benefit) }
            },
        )
    }

    proptest! {
        /// Whatever the rules are: the costs add up, the total is not negative, and the shares of the lines add up.
        #[test]
        fn costs_add_up(
            prices in prop::collection::vec((1_u32..=100, 0_i64..=10_000_000), 1..5),
            promotions in prop::collection::vec(any_promotion(), 0..5),
            carriage in prop::option::of(0_i64..=100_000),
            taxed in prop::option::of((0_i64..=10_000, any::<bool>(), any::<bool>())),
        ) {
            let names = ["A", "B", "C", "D"];
            let lines: Vec<OrderLine> = prices.iter().zip(names)
                .map(|((quantity, price), sku)| line(sku, *quantity, *price)).collect();
            let rates = carriage.map(|price| shipping(Zone::default(), 0, price));
            let taxes = taxed.map(|(rate, added, on_shipping)| {
                let mode = if added { TaxMode::Added } else { TaxMode::Included };
                tax(Zone::default(), rate, mode, on_shipping)
            });
            let all = promotions.into_iter().map(CostRule::Promotion).chain(rates).chain(taxes);
            let costs = costs_of(&lines, &rules(all));

            let off: i64 = amounts(&costs).iter().sum();
            let tax_amount = costs.tax().map_or(0, |tax| tax.amount.amount());
            let added = costs.tax().filter(|tax| tax.mode == TaxMode::Added).map_or(0, |_| tax_amount);
            prop_assert_eq!(
                costs.goods().amount() - off + costs.shipping().amount() + added,
                costs.total().amount()
            );
            for line in &lines {
                let share = costs.shares().get(&line.sku).copied().unwrap_or_default();
                let price = line.offer.as_ref().unwrap().price.times(line.quantity).unwrap().amount();
                prop_assert!((0..=price).contains(&share.discount));
                prop_assert!((0..=price).contains(&share.tax));
            }
            let shared: i64 = costs.shares().values().map(|share| share.tax).sum();
            prop_assert!(shared <= tax_amount);
            if carriage.unwrap_or_default() == 0 {
                prop_assert_eq!(shared, tax_amount);
            }
        }
    }
}
