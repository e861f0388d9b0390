//! The result of a decision: the order afterwards and the events that led there.

use chrono::{DateTime, Utc};
use vocabulary::{ParcelId, PaymentId, ReturnId};

use super::{
    address::{Address, Destination},
    line_cancellation::LineCancellation,
    order::{EndReason, InvalidTransition, Order},
    order_return::{NewReturn, PartRefund, ReturnRefusal, ReturnedPieces},
    payment::Payment,
    shipment::Shipment,
    status::OrderStatus,
};

/// An order after a decision, with the events of that decision in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Transition {
    pub(crate) order: Order,
    /// Whether the state of the order changed.
    pub(crate) changed: bool,
    pub(crate) events: Vec<OrderEvent>,
}

/// An entry of the order's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OrderEvent {
    pub(crate) at: DateTime<Utc>,
    /// The status of the order after the event.
    pub(crate) status: OrderStatus,
    pub(crate) kind: OrderEventKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OrderEventKind {
    /// The destination is not stored with the event, and known only when the order is placed.
    Placed(Option<Destination>),
    StockReserved,
    StockRejected(EndReason),
    StockReleased,
    HoldExtended,
    StockDeducted,
    PaymentApproved(Payment),
    PaymentDeclined(Payment),
    /// A payment of another amount than the total; an operator must decide.
    PaymentMismatched(Payment),
    /// The payment provider must pay the payment back.
    RefundRequested(PaymentId),
    PaymentRefunded(PaymentId),
    /// The payment provider must pay a part of the payment back.
    PartRefundRequested(PartRefund),
    PartRefunded(PartRefund),
    Confirmed(PaymentId),
    /// A carrier has one of several parcels.
    ParcelShipped(ParcelId, Shipment),
    /// A carrier has the only parcel, or the last one.
    Shipped(Shipment),
    /// One of several parcels has arrived.
    ParcelDelivered(ParcelId),
    /// The only parcel has arrived, or the last one.
    Delivered,
    LineCancelled(LineCancellation),
    ReturnRequested(NewReturn),
    /// The order is returned with the last of its pieces.
    ReturnReceived(ReturnedPieces),
    ReturnRefused(ReturnId, ReturnRefusal),
    Rejected(EndReason),
    PaymentFailed(EndReason),
    Expired(EndReason),
    Cancelled(EndReason),
}

impl Transition {
    /// A transition that has not changed `order` yet.
    pub(super) fn unchanged(order: Order) -> Self {
        Self { order, changed: false, events: Vec::new() }
    }

    /// A transition whose step `order` has already taken.
    pub(super) fn changed(order: Order) -> Self {
        Self { order, changed: true, events: Vec::new() }
    }

    /// Adds an event; its status is the current status of the order.
    pub(super) fn with_event(mut self, at: DateTime<Utc>, kind: OrderEventKind) -> Self {
        self.events.push(OrderEvent { at, status: self.order.status(), kind });
        self
    }

    /// Tells the destination of an order that was placed.
    pub(crate) fn shipping_to(mut self, address: &Address) -> Self {
        for event in &mut self.events {
            if let OrderEventKind::Placed(destination) = &mut event.kind {
                *destination = Some(address.destination());
            }
        }
        self
    }

    /// Takes a step if the state machine allows it; returns whether it did.
    pub(super) fn try_step(
        self,
        step: impl FnOnce(Order) -> Result<Order, InvalidTransition>,
    ) -> (Self, bool) {
        match step(self.order) {
            Ok(order) => (Self { order, changed: true, ..self }, true),
            Err(invalid) => (Self { order: *invalid.order, ..self }, false),
        }
    }
}
