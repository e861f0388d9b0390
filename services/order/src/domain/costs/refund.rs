//! What the pieces of an order are worth when they are cancelled or come back.

use vocabulary::Money;

use super::order_costs::{Costs, LineShare, TaxMode};
use crate::domain::line::OrderLine;

/// What the customer paid for the pieces of `lines` that were cancelled or have come back so far, in minor units.
///
/// A piece is worth its share of what its line cost: the price, without the line's discount, with its added tax. The share is rounded
/// down for all these pieces of a line together, so the last piece brings what rounding left. Shipping, with its tax, is paid
/// back with the last piece of the order.
pub(crate) fn worth_of_refunded(costs: &Costs, lines: &[OrderLine]) -> i64 {
    let adds_tax = costs.tax().is_some_and(|tax| tax.mode == TaxMode::Added);
    let cost = |line: &OrderLine| {
        let share = costs.shares().get(&line.sku).copied().unwrap_or_default();
        let LineShare { discount, tax } = share;
        let price = line.offer.as_ref().map_or(0, |offer| offer.price.amount());
        let goods = price * i64::from(line.quantity.get());
        goods - discount + if adds_tax { tax } else { 0 }
    };
    let share = |line: &OrderLine| {
        let share = i128::from(cost(line)) * i128::from(line.cancelled + line.returned);
        i64::try_from(share / i128::from(line.quantity.get())).unwrap_or_default()
    };
    if lines.iter().all(|line| line.cancelled + line.returned == line.quantity.get()) {
        Money::amount(costs.total())
    } else {
        lines.iter().map(share).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use vocabulary::{Currency, Money, PromotionId, Quantity, Sku};

    use super::worth_of_refunded;
    use crate::domain::{
        Offer, OrderLine,
        costs::{BasisPoints, Costs, Discount, DiscountedPart, LineShare, Tax, TaxMode},
    };

    fn cny(amount: i64) -> Money {
        Money::new(amount, Currency::CNY).unwrap()
    }

    fn line(number: usize, quantity: u32, price: i64) -> OrderLine {
        let offer = Offer::priced(cny(price));
        let sku: Sku = format!("SKU-{number}").parse().unwrap();
        let quantity = Quantity::new(quantity).unwrap();
        OrderLine { sku, quantity, cancelled: 0, returned: 0, offer: Some(offer) }
    }

    /// Costs with these discounts and taxes of the lines, and a tax on the shipping.
    fn costs(lines: &[OrderLine], shares: &[(i64, i64)], shipping: i64, mode: TaxMode) -> Costs {
        let goods: i64 = lines
            .iter()
            .map(|line| line.offer.as_ref().unwrap().price.times(line.quantity).unwrap().amount())
            .sum();
        let discounted: i64 = shares.iter().map(|(discount, _)| discount).sum();
        let discount = Discount {
            promotion: PromotionId::new(),
            name: "Sale".to_owned(),
            coupon: None,
            part: DiscountedPart::Goods,
            amount: cny(discounted),
            is_counted: false,
        };
        let taxed: i64 = shares.iter().map(|(_, tax)| tax).sum();
        let rate: BasisPoints = 1_300.try_into().unwrap();
        let tax = Tax { name: "VAT".to_owned(), rate, mode, amount: cny(taxed + shipping / 8) };
        let by_sku: BTreeMap<Sku, LineShare> = lines
            .iter()
            .zip(shares)
            .map(|(line, (discount, tax))| {
                (line.sku.clone(), LineShare { discount: *discount, tax: *tax })
            })
            .collect();
        Costs::new(cny(goods), vec![discount], cny(shipping), Some(tax), by_sku).unwrap()
    }

    #[test]
    fn the_last_piece_brings_what_rounding_left() {
        let mut lines = vec![line(0, 3, 100)];
        let costs = costs(&lines, &[(50, 0)], 20, TaxMode::Included);
        let worth: Vec<i64> = (0..=3)
            .map(|pieces| {
                lines[0].returned = pieces;
                worth_of_refunded(&costs, &lines)
            })
            .collect();
        // 250 for three pieces, and then the shipping.
        assert_eq!(worth, [0, 83, 166, 270]);
    }

    proptest! {
        /// In whatever order the pieces come back, each is worth nothing less than zero, and all together what the customer paid.
        #[test]
        fn parts_of_a_refund_add_up_to_the_total(
            lines in prop::collection::vec((1_u32..6, 0_i64..1_000, 0_i64..=1_000, 0_i64..200), 1..5),
            shipping in 0_i64..500,
            is_added in any::<bool>(),
            order in prop::collection::vec(any::<prop::sample::Index>(), 24),
        ) {
            let mode = if is_added { TaxMode::Added } else { TaxMode::Included };
            let shares: Vec<(i64, i64)> = lines
                .iter()
                .map(|(quantity, price, discount, tax)| ((*discount).min(price * i64::from(*quantity)), *tax))
                .collect();
            let mut lines: Vec<OrderLine> =
                lines.iter().enumerate().map(|(number, (quantity, price, ..))| line(number, *quantity, *price)).collect();
            let costs = costs(&lines, &shares, shipping, mode);
            let (mut before, mut refunded) = (0, 0);
            for next in order {
                let open: Vec<usize> =
                    (0..lines.len()).filter(|place| lines[*place].returned < lines[*place].quantity.get()).collect();
                if open.is_empty() {
                    break;
                }
                lines[open[next.index(open.len())]].returned += 1;
                let after = worth_of_refunded(&costs, &lines);
                prop_assert!(after >= before);
                refunded += after - before;
                before = after;
            }
            let is_complete = lines.iter().all(|line| line.returned == line.quantity.get());
            prop_assert!(is_complete && refunded == costs.total().amount());
        }
    }
}
