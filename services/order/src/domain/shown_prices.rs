//! The prices that a customer was shown, compared with the prices of the order.

use std::collections::BTreeMap;

use vocabulary::{Money, Sku};

use super::line::OrderLine;

/// What the customer was shown. What is absent is not compared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ShownPrices {
    /// With discounts, shipping and tax.
    pub(crate) total: Option<Money>,
    /// Prices of one piece.
    pub(crate) unit_prices: BTreeMap<Sku, Money>,
}

/// The prices that the customer was shown no longer hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PriceChange {
    /// The lines whose unit price was shown and has changed. If only the total was shown, all lines.
    pub(crate) lines: Vec<LinePrices>,
    pub(crate) total: ComparedPrice,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LinePrices {
    pub(crate) sku: Sku,
    /// For one piece.
    pub(crate) price: ComparedPrice,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ComparedPrice {
    /// `None` if it was not shown.
    pub(crate) shown: Option<Money>,
    /// `None` while the catalogue does not know the price.
    pub(crate) current: Option<Money>,
}

impl ComparedPrice {
    /// Whether the shown price does not hold. A price that is not known yet does not hold.
    fn has_changed(self) -> bool {
        self.shown.is_some() && self.shown != self.current
    }
}

impl ShownPrices {
    /// The change, unless every shown price is the present one.
    pub(crate) fn compare(&self, lines: &[OrderLine], total: Option<Money>) -> Option<PriceChange> {
        let prices = lines.iter().map(|line| LinePrices {
            sku: line.sku.clone(),
            price: ComparedPrice {
                shown: self.unit_prices.get(&line.sku).copied(),
                current: line.offer.as_ref().map(|offer| offer.price),
            },
        });
        let (changed, kept): (Vec<LinePrices>, Vec<LinePrices>) =
            prices.partition(|line| line.price.has_changed());
        let total = ComparedPrice { shown: self.total, current: total };
        if changed.is_empty() && !total.has_changed() {
            return None;
        }
        let lines = if changed.is_empty() { kept } else { changed };
        Some(PriceChange { lines, total })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use vocabulary::{Currency, Money, Quantity, Sku};

    use super::{ComparedPrice, LinePrices, ShownPrices};
    use crate::domain::{Offer, OrderLine};

    fn cny(amount: i64) -> Money {
        Money::new(amount, Currency::CNY).unwrap()
    }

    fn sku(text: &str) -> Sku {
        text.parse().unwrap()
    }

    fn line(name: &str, quantity: u32, price: Option<i64>) -> OrderLine {
        let offer = price.map(|amount| Offer::priced(cny(amount)));
        let quantity = Quantity::new(quantity).unwrap();
        OrderLine { sku: sku(name), quantity, cancelled: 0, returned: 0, offer }
    }

    fn lines() -> [OrderLine; 2] {
        [line("A", 2, Some(100)), line("B", 1, Some(50))]
    }

    fn current() -> Money {
        cny(250)
    }

    #[test]
    fn nothing_shown_is_never_wrong() {
        assert_eq!(ShownPrices::default().compare(&lines(), Some(current())), None);
        assert_eq!(ShownPrices::default().compare(&[line("A", 1, None)], None), None);
    }

    #[test]
    fn shown_prices_must_hold_exactly() {
        let shown = |total: i64, a: i64| ShownPrices {
            total: Some(cny(total)),
            unit_prices: BTreeMap::from([(sku("A"), cny(a))]),
        };
        assert_eq!(shown(250, 100).compare(&lines(), Some(current())), None);
        for (total, a) in [(250, 99), (250, 101), (249, 100), (251, 100)] {
            assert!(shown(total, a).compare(&lines(), Some(current())).is_some(), "{total} {a}");
        }
    }

    #[test]
    fn the_changed_lines_are_named() {
        let unit_prices = BTreeMap::from([(sku("A"), cny(90)), (sku("B"), cny(50))]);
        let shown = ShownPrices { total: None, unit_prices };
        let change = shown.compare(&lines(), Some(current())).unwrap();
        let price = ComparedPrice { shown: Some(cny(90)), current: Some(cny(100)) };
        assert_eq!(change.lines, [LinePrices { sku: sku("A"), price }]);
        assert_eq!(change.total, ComparedPrice { shown: None, current: Some(cny(250)) });
    }

    #[test]
    fn a_shown_total_alone_names_all_lines() {
        let shown = ShownPrices { total: Some(cny(1)), unit_prices: BTreeMap::new() };
        let change = shown.compare(&lines(), Some(current())).unwrap();
        assert_eq!(change.lines.len(), 2);
    }

    #[test]
    fn an_unknown_price_does_not_hold() {
        let unit_prices = BTreeMap::from([(sku("A"), cny(100))]);
        let shown = ShownPrices { total: None, unit_prices };
        assert!(shown.compare(&[line("A", 1, None)], None).is_some());
    }
}
