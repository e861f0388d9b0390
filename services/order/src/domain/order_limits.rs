//! Bounds of what one customer may order, so that no one holds the whole stock without paying.

use std::collections::HashMap;

use vocabulary::{Quantity, Sku};

/// An order exceeds what one customer may order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LimitExceeded {
    /// More pieces of these SKUs than one customer may order.
    #[error("a customer may order {limit} pieces of a SKU at most")]
    Pieces { skus: Vec<Sku>, limit: u32 },
    /// The customer has this many unpaid orders already.
    #[error("a customer may have {limit} unpaid orders at most")]
    UnpaidOrders { limit: u32 },
}

/// What one customer may order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OrderLimits {
    /// The most pieces of one SKU in one order.
    pub(crate) pieces_per_line: u32,
    /// The most pieces of one SKU in all unpaid orders of a customer.
    pub(crate) unpaid_pieces_per_sku: u32,
    /// The most unpaid orders of a customer.
    pub(crate) unpaid_orders: u32,
}

impl OrderLimits {
    /// The limits of a shop that sets none.
    pub(crate) const DEFAULT: Self =
        Self { pieces_per_line: 200, unpaid_pieces_per_sku: 200, unpaid_orders: 10 };
}

/// The orders of a customer that are placed or reserved, and not paid.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct UnpaidOrders {
    pub(crate) orders: u32,
    pub(crate) pieces: HashMap<Sku, u32>,
}

impl UnpaidOrders {
    /// Counts another order.
    pub(crate) fn add(&mut self, quantities: &[(Sku, Quantity)]) {
        self.orders += 1;
        for (sku, quantity) in quantities {
            let pieces = self.pieces.entry(sku.clone()).or_default();
            *pieces = pieces.saturating_add(quantity.get());
        }
    }
}

impl OrderLimits {
    /// Fails if a line has too many pieces.
    pub(crate) fn check_lines(&self, quantities: &[(Sku, Quantity)]) -> Result<(), LimitExceeded> {
        refuse_beyond(self.pieces_per_line, quantities, |_| 0)
    }

    /// Fails if the customer would have too many unpaid orders, or too many unpaid pieces of a SKU.
    pub(crate) fn check_unpaid(
        &self,
        unpaid: &UnpaidOrders,
        quantities: &[(Sku, Quantity)],
    ) -> Result<(), LimitExceeded> {
        if unpaid.orders >= self.unpaid_orders {
            return Err(LimitExceeded::UnpaidOrders { limit: self.unpaid_orders });
        }
        let held = |sku: &Sku| unpaid.pieces.get(sku).copied().unwrap_or_default();
        refuse_beyond(self.unpaid_pieces_per_sku, quantities, held)
    }
}

/// Fails with the SKUs of which the order and what is `held` already exceed `limit`.
fn refuse_beyond(
    limit: u32,
    quantities: &[(Sku, Quantity)],
    held: impl Fn(&Sku) -> u32,
) -> Result<(), LimitExceeded> {
    let is_beyond =
        |(sku, quantity): &&(Sku, Quantity)| quantity.get().saturating_add(held(sku)) > limit;
    let skus: Vec<Sku> = quantities.iter().filter(is_beyond).map(|(sku, _)| sku.clone()).collect();
    if skus.is_empty() { Ok(()) } else { Err(LimitExceeded::Pieces { skus, limit }) }
}

#[cfg(test)]
mod tests {
    use vocabulary::{Quantity, Sku};

    use super::{LimitExceeded, OrderLimits, UnpaidOrders};

    const LIMITS: OrderLimits =
        OrderLimits { pieces_per_line: 5, unpaid_pieces_per_sku: 7, unpaid_orders: 3 };

    fn pieces(sku: &str, quantity: u32) -> (Sku, Quantity) {
        (sku.parse().unwrap(), Quantity::new(quantity).unwrap())
    }

    #[test]
    fn the_skus_with_too_many_pieces_are_named() {
        assert_eq!(LIMITS.check_lines(&[pieces("A", 5), pieces("B", 1)]), Ok(()));
        let refused = LIMITS.check_lines(&[pieces("A", 6), pieces("B", 1)]);
        let skus = vec!["A".parse().unwrap()];
        assert_eq!(refused, Err(LimitExceeded::Pieces { skus, limit: 5 }));
    }

    #[test]
    fn pieces_of_unpaid_orders_count() {
        let mut unpaid = UnpaidOrders::default();
        unpaid.add(&[pieces("A", 4)]);
        assert_eq!(LIMITS.check_unpaid(&unpaid, &[pieces("A", 3), pieces("B", 5)]), Ok(()));
        assert!(LIMITS.check_unpaid(&unpaid, &[pieces("A", 4)]).is_err());
    }

    #[test]
    fn the_number_of_unpaid_orders_is_bounded() {
        let mut unpaid = UnpaidOrders::default();
        for _ in 0..2 {
            unpaid.add(&[pieces("A", 1)]);
        }
        assert_eq!(LIMITS.check_unpaid(&unpaid, &[pieces("B", 1)]), Ok(()));
        unpaid.add(&[pieces("A", 1)]);
        let refused = LIMITS.check_unpaid(&unpaid, &[pieces("B", 1)]);
        assert_eq!(refused, Err(LimitExceeded::UnpaidOrders { limit: 3 }));
    }
}
