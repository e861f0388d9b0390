//! Reservations: the pieces that an order holds, from the request to release or deduction.

use std::collections::BTreeMap;

use vocabulary::{OrderId, Sku, WarehouseId};

use super::{Region, Stock, stock::NotReserved};

/// The pieces that an order asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReservationRequest {
    pub(crate) order: OrderId,
    /// Quantity per SKU, at least one.
    pub(crate) lines: BTreeMap<Sku, i64>,
    /// Where its parcels go, if that is known.
    pub(crate) destination: Option<Region>,
}

/// A number of pieces of a SKU, reserved in one warehouse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Allocation {
    pub(crate) sku: Sku,
    pub(crate) warehouse: WarehouseId,
    /// At least one.
    pub(crate) quantity: i64,
}

/// The answer to a [`ReservationRequest`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ReservationDecision {
    /// Every line is reserved.
    Reserved(Vec<Allocation>),
    /// No line is reserved, because of these shortages; never empty.
    Rejected(Vec<Shortage>),
}

/// A SKU with fewer pieces available than requested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shortage {
    pub(crate) sku: Sku,
    pub(crate) requested: i64,
    /// None if the SKU is unknown.
    pub(crate) available: Option<i64>,
}

/// An order asks for a SKU that no product event has registered yet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the SKU {0} is unknown")]
pub(crate) struct UnknownSku(pub(crate) Sku);

/// The lifecycle of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReservationState {
    /// The order holds its pieces.
    Reserved,
    /// The order will not ship; its pieces are available again.
    Released,
    /// The order shipped; its pieces left the warehouse.
    Deducted,
}

impl ReservationState {
    /// The value of the `state` column.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Released => "released",
            Self::Deducted => "deducted",
        }
    }

    /// Parses the `state` column; a check constraint allows no other value.
    pub(crate) fn parse(text: &str) -> Self {
        match text {
            "released" => Self::Released,
            "deducted" => Self::Deducted,
            _ => Self::Reserved,
        }
    }
}

/// How a reservation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReservationOutcome {
    /// The order will not ship. An order without a reservation needs no release.
    Released {
        /// Written to the ledger.
        reason: &'static str,
    },
    /// The order shipped. An order without a reservation is an error.
    Deducted,
}

impl ReservationOutcome {
    /// The state that the reservation reaches.
    pub(crate) const fn state(self) -> ReservationState {
        match self {
            Self::Released { .. } => ReservationState::Released,
            Self::Deducted => ReservationState::Deducted,
        }
    }

    /// The reason for the ledger.
    pub(crate) const fn reason(self) -> Option<&'static str> {
        match self {
            Self::Released { reason } => Some(reason),
            Self::Deducted => None,
        }
    }
}

/// The pieces that an order holds, or held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reservation {
    pub(crate) order: OrderId,
    pub(crate) state: ReservationState,
    pub(crate) allocations: Vec<Allocation>,
}

/// Why a reservation could not be released or deducted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReservationError {
    #[error("order {0} shipped without a reservation")]
    NothingReserved(OrderId),
    #[error("order {0} shipped after its reservation was released")]
    AlreadyReleased(OrderId),
    #[error("the stock levels do not contain the reservation of order {order}")]
    Inconsistent {
        order: OrderId,
        #[source]
        source: NotReserved,
    },
}

/// Releases or deducts the reservation of `order`, and returns whether it changed. A repetition changes
/// nothing.
pub(crate) fn release_or_deduct(
    order: OrderId,
    reservation: Option<&mut Reservation>,
    outcome: ReservationOutcome,
    stock: &mut Stock,
) -> Result<bool, ReservationError> {
    match (outcome, reservation) {
        (ReservationOutcome::Released { .. }, None) => Ok(false),
        (ReservationOutcome::Released { .. }, Some(reservation)) => reservation.release(stock),
        (ReservationOutcome::Deducted, None) => Err(ReservationError::NothingReserved(order)),
        (ReservationOutcome::Deducted, Some(reservation)) => reservation.deduct(stock),
    }
}

impl Reservation {
    fn release(&mut self, stock: &mut Stock) -> Result<bool, ReservationError> {
        match self.state {
            ReservationState::Reserved => {
                let released = stock.release(self.order, &self.allocations);
                released.map_err(|source| self.inconsistent(source))?;
                self.state = ReservationState::Released;
                Ok(true)
            }
            ReservationState::Released | ReservationState::Deducted => Ok(false),
        }
    }

    fn deduct(&mut self, stock: &mut Stock) -> Result<bool, ReservationError> {
        match self.state {
            ReservationState::Reserved => {
                let deducted = stock.deduct(self.order, &self.allocations);
                deducted.map_err(|source| self.inconsistent(source))?;
                self.state = ReservationState::Deducted;
                Ok(true)
            }
            ReservationState::Deducted => Ok(false),
            ReservationState::Released => Err(ReservationError::AlreadyReleased(self.order)),
        }
    }

    const fn inconsistent(&self, source: NotReserved) -> ReservationError {
        ReservationError::Inconsistent { order: self.order, source }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;
    use vocabulary::{OrderId, Sku, Version};

    use super::{
        Allocation, Reservation, ReservationError, ReservationOutcome, ReservationState,
        release_or_deduct,
    };
    use crate::domain::{SkuStock, Stock, WarehouseStock};

    const RELEASED: ReservationOutcome = ReservationOutcome::Released { reason: "cancelled" };

    fn three_of_ten() -> (Reservation, Stock) {
        let (sku, warehouse): (Sku, _) = ("A".parse().unwrap(), Uuid::from_u128(1).into());
        let warehouses = vec![WarehouseStock { warehouse, on_hand: 10, reserved: 3 }];
        let stock =
            Stock::new([SkuStock { sku: sku.clone(), version: Version::FIRST, warehouses }]);
        let (order, state) = (OrderId::new(), ReservationState::Reserved);
        let allocations = vec![Allocation { sku, warehouse, quantity: 3 }];
        (Reservation { order, state, allocations }, stock)
    }

    fn levels(stock: &Stock) -> (i64, i64) {
        let sku_stock = stock.get(&"A".parse().unwrap()).unwrap();
        (sku_stock.on_hand(), sku_stock.reserved())
    }

    #[test]
    fn releasing_twice_equals_releasing_once() {
        let (mut reservation, mut stock) = three_of_ten();
        let order = reservation.order;
        let mut end =
            |outcome| release_or_deduct(order, Some(&mut reservation), outcome, &mut stock);
        assert_eq!(end(RELEASED), Ok(true));
        assert_eq!(end(RELEASED), Ok(false));
        assert_eq!(
            end(ReservationOutcome::Deducted),
            Err(ReservationError::AlreadyReleased(order))
        );
        assert_eq!(levels(&stock), (10, 0));
    }

    #[test]
    fn deducting_twice_equals_deducting_once() {
        let (mut reservation, mut stock) = three_of_ten();
        let order = reservation.order;
        let mut end =
            |outcome| release_or_deduct(order, Some(&mut reservation), outcome, &mut stock);
        assert_eq!(end(ReservationOutcome::Deducted), Ok(true));
        assert_eq!(end(ReservationOutcome::Deducted), Ok(false));
        assert_eq!(end(RELEASED), Ok(false));
        assert_eq!(levels(&stock), (7, 0));
    }

    #[test]
    fn only_deduction_needs_a_reservation() {
        let (order, mut stock) = (OrderId::new(), Stock::default());
        assert_eq!(release_or_deduct(order, None, RELEASED, &mut stock), Ok(false));
        assert_eq!(
            release_or_deduct(order, None, ReservationOutcome::Deducted, &mut stock),
            Err(ReservationError::NothingReserved(order))
        );
    }

    #[test]
    fn inconsistent_levels_change_nothing() {
        let (mut reservation, _) = three_of_ten();
        let (order, mut empty) = (reservation.order, Stock::default());
        for outcome in [RELEASED, ReservationOutcome::Deducted] {
            let ended = release_or_deduct(order, Some(&mut reservation), outcome, &mut empty);
            assert!(matches!(ended, Err(ReservationError::Inconsistent { .. })));
        }
        assert_eq!(reservation.state, ReservationState::Reserved);
    }
}
