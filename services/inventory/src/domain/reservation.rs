//! What is set aside for one order, and how it ends.

use vocabulary::OrderId;

use super::{Allocation, Inconsistent, Stock};

/// What has become of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It stands.
    Reserved,
    /// The order will not be shipped: what was set aside is free again.
    Released,
    /// The order was shipped: what was set aside is gone.
    Deducted,
}

impl State {
    /// As the table has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Released => "released",
            Self::Deducted => "deducted",
        }
    }

    /// What the column says; its check constraint admits nothing else.
    pub fn parse(text: &str) -> Self {
        match text {
            "released" => Self::Released,
            "deducted" => Self::Deducted,
            _ => Self::Reserved,
        }
    }
}

/// What is, or was, set aside for an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// Which order.
    pub order: OrderId,
    /// What has become of it.
    pub state: State,
    /// What it holds, or held.
    pub allocations: Vec<Allocation>,
}

/// Why nothing was deducted for an order that was shipped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NothingReserved {
    /// What had been set aside was released before.
    #[error("what was reserved for order {0} has been released")]
    Released(OrderId),
    /// The books are wrong.
    #[error("what was reserved for order {order} is not in the books")]
    Inconsistent {
        /// Which order.
        order: OrderId,
        /// What is missing.
        #[source]
        source: Inconsistent,
    },
}

impl Reservation {
    /// Frees what is set aside, and says whether anything was: what is over stays as it is.
    pub fn release(&mut self, stock: &mut Stock) -> Result<bool, Inconsistent> {
        match self.state {
            State::Reserved => {
                stock.release(self.order, &self.allocations)?;
                self.state = State::Released;
                Ok(true)
            }
            State::Released | State::Deducted => Ok(false),
        }
    }

    /// Takes away what is set aside, and says whether it was still there: what was deducted before is not deducted again.
    pub fn deduct(&mut self, stock: &mut Stock) -> Result<bool, NothingReserved> {
        let order = self.order;
        match self.state {
            State::Reserved => {
                let deducted = stock.deduct(order, &self.allocations);
                deducted.map_err(|source| NothingReserved::Inconsistent { order, source })?;
                self.state = State::Deducted;
                Ok(true)
            }
            State::Deducted => Ok(false),
            State::Released => Err(NothingReserved::Released(order)),
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;
    use vocabulary::{OrderId, Sku, Version};

    use super::{NothingReserved, Reservation, State};
    use crate::domain::{Allocation, Level, Shelf, Stock};

    fn three_of_ten() -> (Reservation, Stock) {
        let (sku, warehouse): (Sku, _) = ("A".parse().unwrap(), Uuid::from_u128(1).into());
        let shelves = vec![Shelf { warehouse, on_hand: 10, reserved: 3 }];
        let stock = Stock::new([Level { sku: sku.clone(), version: Version::FIRST, shelves }]);
        let allocations = vec![Allocation { sku, warehouse, quantity: 3 }];
        (Reservation { order: OrderId::new(), state: State::Reserved, allocations }, stock)
    }

    fn levels(stock: &Stock) -> (i64, i64) {
        let level = stock.level(&"A".parse().unwrap()).unwrap();
        (level.on_hand(), level.reserved())
    }

    #[test]
    fn releasing_twice_is_releasing_once() {
        let (mut reservation, mut stock) = three_of_ten();
        assert_eq!(reservation.release(&mut stock), Ok(true));
        assert_eq!(reservation.release(&mut stock), Ok(false));
        assert_eq!(levels(&stock), (10, 0));
        let order = reservation.order;
        assert_eq!(reservation.deduct(&mut stock), Err(NothingReserved::Released(order)));
        assert_eq!(levels(&stock), (10, 0));
    }

    #[test]
    fn deducting_twice_is_deducting_once() {
        let (mut reservation, mut stock) = three_of_ten();
        assert_eq!(reservation.deduct(&mut stock), Ok(true));
        assert_eq!(reservation.deduct(&mut stock), Ok(false));
        assert_eq!(reservation.release(&mut stock), Ok(false));
        assert_eq!(levels(&stock), (7, 0));
    }

    #[test]
    fn books_that_are_wrong_are_not_made_worse() {
        let (mut reservation, _) = three_of_ten();
        let mut empty = Stock::default();
        assert!(reservation.release(&mut empty).is_err());
        assert!(reservation.deduct(&mut empty).is_err());
        assert_eq!(reservation.state, State::Reserved);
    }
}
