//! Reservations: the pieces that an order holds, from the request to release or deduction.

use std::collections::BTreeMap;

use vocabulary::{OrderId, ParcelId, Sku, WarehouseId};

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
    /// The order shipped; all its pieces left the warehouses.
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
    /// Without what left in a parcel while the order held other pieces.
    pub(crate) allocations: Vec<Allocation>,
}

/// One of several parcels of an order, which a carrier has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShippedParcel {
    pub(crate) id: ParcelId,
    /// All from one warehouse; each SKU once.
    pub(crate) lines: Vec<Allocation>,
}

/// What a shipped parcel did to the reservation of its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ParcelDeduction {
    /// It was deducted before.
    Unchanged,
    /// The order holds other pieces.
    Part,
    /// The order holds nothing any more.
    Last,
}

/// Why a reservation could not be released or deducted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReservationError {
    #[error("order {0} shipped without a reservation")]
    NothingReserved(OrderId),
    #[error("order {0} shipped after its reservation was released")]
    AlreadyReleased(OrderId),
    #[error("order {order} gives back {quantity} pieces of {sku} that it does not hold")]
    NothingToRelease { order: OrderId, sku: Sku, quantity: i64 },
    #[error("order {order} shipped a parcel with {quantity} pieces of {sku} that it does not hold")]
    NotHeld { order: OrderId, sku: Sku, quantity: i64 },
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

/// Deducts one of several parcels of an order. `is_known` tells whether it was deducted before; a repetition changes nothing.
pub(crate) fn deduct_parcel(
    order: OrderId,
    parcel: &ShippedParcel,
    is_known: bool,
    reservation: Option<&mut Reservation>,
    stock: &mut Stock,
) -> Result<ParcelDeduction, ReservationError> {
    let reservation = reservation.ok_or(ReservationError::NothingReserved(order))?;
    if is_known {
        return Ok(ParcelDeduction::Unchanged);
    }
    match reservation.state {
        ReservationState::Deducted => Ok(ParcelDeduction::Unchanged),
        ReservationState::Released => Err(ReservationError::AlreadyReleased(order)),
        ReservationState::Reserved => reservation.deduct_parcel(parcel, stock),
    }
}

/// Pieces of a SKU that an order gives back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CancelledPieces {
    /// `None` if the order does not know it.
    pub(crate) warehouse: Option<WarehouseId>,
    pub(crate) quantity: i64,
}

/// Releases pieces of one line of an order that keeps its other pieces. Returns what it released, by warehouse. An order that holds
/// nothing any more has released everything.
pub(crate) fn release_line(
    order: OrderId,
    sku: &Sku,
    pieces: &[CancelledPieces],
    reservation: Option<&mut Reservation>,
    stock: &mut Stock,
) -> Result<Vec<Allocation>, ReservationError> {
    let reservation = reservation.ok_or(ReservationError::NothingReserved(order))?;
    match reservation.state {
        ReservationState::Released => Ok(Vec::new()),
        ReservationState::Deducted => Err(ReservationError::NothingReserved(order)),
        ReservationState::Reserved => reservation.release_line(sku, pieces, stock),
    }
}

impl Reservation {
    fn release_line(
        &mut self,
        sku: &Sku,
        pieces: &[CancelledPieces],
        stock: &mut Stock,
    ) -> Result<Vec<Allocation>, ReservationError> {
        let (mut rest, mut released) = (self.allocations.clone(), Vec::new());
        for CancelledPieces { warehouse, quantity } in pieces {
            let mut left = *quantity;
            let is_meant = |held: &&mut Allocation| {
                held.sku == *sku && warehouse.is_none_or(|warehouse| held.warehouse == warehouse)
            };
            for held in rest.iter_mut().filter(is_meant) {
                let taken = left.min(held.quantity);
                held.quantity -= taken;
                left -= taken;
                if taken > 0 {
                    released.push(Allocation { quantity: taken, ..held.clone() });
                }
            }
            if left > 0 {
                let (order, sku, quantity) = (self.order, sku.clone(), *quantity);
                return Err(ReservationError::NothingToRelease { order, sku, quantity });
            }
        }
        stock.release(self.order, &released).map_err(|source| self.inconsistent(source))?;
        rest.retain(|held| held.quantity > 0);
        self.allocations = rest;
        Ok(released)
    }

    fn deduct_parcel(
        &mut self,
        parcel: &ShippedParcel,
        stock: &mut Stock,
    ) -> Result<ParcelDeduction, ReservationError> {
        let mut rest = self.allocations.clone();
        for Allocation { sku, warehouse, quantity } in &parcel.lines {
            let held =
                rest.iter_mut().find(|held| held.sku == *sku && held.warehouse == *warehouse);
            let Some(held) = held.filter(|held| held.quantity >= *quantity) else {
                let (order, sku, quantity) = (self.order, sku.clone(), *quantity);
                return Err(ReservationError::NotHeld { order, sku, quantity });
            };
            held.quantity -= quantity;
        }
        let deducted = stock.deduct(self.order, &parcel.lines);
        deducted.map_err(|source| self.inconsistent(source))?;
        rest.retain(|held| held.quantity > 0);
        self.allocations = rest;
        if self.allocations.is_empty() {
            self.state = ReservationState::Deducted;
            Ok(ParcelDeduction::Last)
        } else {
            Ok(ParcelDeduction::Part)
        }
    }

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
    use std::collections::{BTreeMap, HashSet};

    use proptest::prelude::*;
    use uuid::Uuid;
    use vocabulary::{OrderId, ParcelId, Sku, Version};

    use super::{
        Allocation, ParcelDeduction, Reservation, ReservationError, ReservationOutcome,
        ReservationState, ShippedParcel, deduct_parcel, release_or_deduct,
    };
    use crate::domain::{SkuStock, Stock, WarehouseStock};

    const RELEASED: ReservationOutcome = ReservationOutcome::Released { reason: "cancelled" };

    fn three_of_ten() -> (Reservation, Stock) {
        let (sku, warehouse): (Sku, _) = ("A".parse().unwrap(), Uuid::from_u128(1).into());
        let warehouses = vec![WarehouseStock { warehouse, on_hand: 10, reserved: 3 }];
        let stock = Stock::new([SkuStock {
            sku: sku.clone(),
            version: Version::FIRST,
            low_at: None,
            warehouses,
        }]);
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

    /// An order for two SKUs that two warehouses serve: three and two pieces from the first, four from the second. Each has ten of each.
    fn two_parcels() -> (Reservation, Vec<ShippedParcel>, Stock) {
        let sku = |name: &str| name.parse::<Sku>().unwrap();
        let warehouse = |number| Uuid::from_u128(number).into();
        let allocation = |name, number, quantity| Allocation {
            sku: sku(name),
            warehouse: warehouse(number),
            quantity,
        };
        let first = vec![allocation("A", 1, 3), allocation("B", 1, 2)];
        let second = vec![allocation("A", 2, 4)];
        let level = |number, reserved| WarehouseStock {
            warehouse: warehouse(number),
            on_hand: 10,
            reserved,
        };
        let stock = Stock::new([
            SkuStock {
                sku: sku("A"),
                version: Version::FIRST,
                low_at: None,
                warehouses: vec![level(1, 3), level(2, 4)],
            },
            SkuStock {
                sku: sku("B"),
                version: Version::FIRST,
                low_at: None,
                warehouses: vec![level(1, 2), level(2, 0)],
            },
        ]);
        let allocations = [first.clone(), second.clone()].concat();
        let parcel = |lines| ShippedParcel { id: ParcelId::new(), lines };
        let (order, state) = (OrderId::new(), ReservationState::Reserved);
        (Reservation { order, state, allocations }, vec![parcel(first), parcel(second)], stock)
    }

    #[test]
    fn a_parcel_with_other_pieces_changes_nothing() {
        let (mut reservation, parcels, mut stock) = two_parcels();
        let (order, before) = (reservation.order, reservation.clone());
        let mut larger = parcels[1].clone();
        larger.lines[0].quantity = 5;
        let mut deduct =
            |parcel| deduct_parcel(order, parcel, false, Some(&mut reservation), &mut stock);
        assert_eq!(
            deduct(&larger),
            Err(ReservationError::NotHeld { order, sku: "A".parse().unwrap(), quantity: 5 })
        );
        assert_eq!(reservation, before);
        let nothing = deduct_parcel(order, &parcels[0], false, None, &mut stock);
        assert_eq!(nothing, Err(ReservationError::NothingReserved(order)));
        assert!(stock.into_changes().movements.is_empty());
    }

    /// What may happen to an order with two parcels.
    #[derive(Debug, Clone, Copy)]
    enum Event {
        Parcel(usize),
        Order,
        Release,
    }

    proptest! {
        /// Whatever arrives, how often, and in whichever order: a parcel is deducted once, and what did not ship is released.
        #[test]
        fn parcels_are_deducted_once_in_any_order(
            events in prop::collection::vec(
                prop_oneof![
                    6 => (0usize..2).prop_map(Event::Parcel),
                    1 => Just(Event::Order),
                    1 => Just(Event::Release),
                ],
                0..10,
            ),
        ) {
            let (mut reservation, parcels, mut stock) = two_parcels();
            let order = reservation.order;
            let mut known = HashSet::new();
            let (mut shipped, mut ended) = ([false, false], false);
            for event in events {
                match event {
                    Event::Parcel(which) => {
                        let parcel = &parcels[which];
                        let is_known = known.contains(&parcel.id);
                        let done = deduct_parcel(order, parcel, is_known, Some(&mut reservation), &mut stock);
                        let expected = if shipped[which] {
                            Ok(ParcelDeduction::Unchanged)
                        } else if ended {
                            Err(ReservationError::AlreadyReleased(order))
                        } else if shipped[1 - which] {
                            Ok(ParcelDeduction::Last)
                        } else {
                            Ok(ParcelDeduction::Part)
                        };
                        prop_assert_eq!(&done, &expected);
                        if matches!(done, Ok(ParcelDeduction::Part | ParcelDeduction::Last)) {
                            known.insert(parcel.id);
                            shipped[which] = true;
                        }
                    }
                    Event::Order => {
                        let outcome = ReservationOutcome::Deducted;
                        let done = release_or_deduct(order, Some(&mut reservation), outcome, &mut stock);
                        let all = shipped == [true, true];
                        let expected = if ended { Err(ReservationError::AlreadyReleased(order)) } else { Ok(!all) };
                        prop_assert_eq!(&done, &expected);
                        if done.is_ok() {
                            shipped = [true, true];
                        }
                    }
                    Event::Release => {
                        let done = release_or_deduct(order, Some(&mut reservation), RELEASED, &mut stock);
                        let changes = !ended && shipped != [true, true];
                        prop_assert_eq!(done, Ok(changes));
                        ended |= changes;
                    }
                }
                let mut left: BTreeMap<&str, i64> = BTreeMap::from([("A", 20), ("B", 20)]);
                let mut held: BTreeMap<&str, i64> = BTreeMap::from([("A", 0), ("B", 0)]);
                for (parcel, is_shipped) in parcels.iter().zip(shipped) {
                    for line in &parcel.lines {
                        if is_shipped {
                            *left.get_mut(line.sku.as_str()).unwrap() -= line.quantity;
                        } else if !ended {
                            *held.get_mut(line.sku.as_str()).unwrap() += line.quantity;
                        }
                    }
                }
                for name in ["A", "B"] {
                    let level = stock.get(&name.parse().unwrap()).unwrap();
                    prop_assert_eq!((level.on_hand(), level.reserved()), (left[name], held[name]));
                }
            }
        }
    }
}
