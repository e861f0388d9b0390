//! Published events: conversions from the domain to the contracts.

pub(crate) mod customer_erased;
mod order_cancelled;
mod order_confirmed;
mod order_delivered;
mod order_expired;
mod order_line_cancelled;
mod order_parcel_shipped;
mod order_payment_failed;
mod order_placed;
mod order_rejected;
mod order_return_received;
mod order_shipped;
pub(crate) mod webhook_message;

use contracts::order::{OrderLine, OrderReason, ParcelLine};
use envelope::trace::TraceContext;
use messaging::{Error, Transaction};

pub(crate) use self::order_cancelled::order_cancelled;
use self::{
    order_confirmed::order_confirmed, order_delivered::order_delivered,
    order_expired::order_expired, order_line_cancelled::order_line_cancelled,
    order_parcel_shipped::order_parcel_shipped, order_payment_failed::order_payment_failed,
    order_placed::order_placed, order_rejected::order_rejected,
    order_return_received::order_return_received, order_shipped::order_shipped,
};
use crate::domain::{self, EndReason, Order, OrderEvent, OrderEventKind};

/// Publishes `event` of `order` if this service owns its event type. `cause` is the trace of the request or event that
/// led to it.
pub(crate) fn publish(
    tx: &mut Transaction,
    cause: Option<TraceContext>,
    order: &Order,
    event: &OrderEvent,
) -> Result<(), Error> {
    let at = event.at;
    match &event.kind {
        OrderEventKind::Placed(destination) => {
            tx.emit_caused_by(cause, &order_placed(order, destination.as_ref()))
        }
        OrderEventKind::Confirmed(payment) => match order_confirmed(order, *payment, at) {
            Some(confirmed) => tx.emit_caused_by(cause, &confirmed),
            None => return Ok(()),
        },
        OrderEventKind::ParcelShipped(parcel, shipment) => {
            match order_parcel_shipped(order, *parcel, shipment, at) {
                Some(shipped) => tx.emit_caused_by(cause, &shipped),
                None => return Ok(()),
            }
        }
        OrderEventKind::Shipped(shipment) => {
            tx.emit_caused_by(cause, &order_shipped(order.id, shipment, at))
        }
        OrderEventKind::Delivered => tx.emit_caused_by(cause, &order_delivered(order.id, at)),
        OrderEventKind::LineCancelled(cancellation) => {
            tx.emit_caused_by(cause, &order_line_cancelled(cancellation))
        }
        OrderEventKind::ReturnReceived(pieces) => {
            tx.emit_caused_by(cause, &order_return_received(order.id, pieces, at))
        }
        OrderEventKind::Rejected(reason) => {
            tx.emit_caused_by(cause, &order_rejected(order.id, reason, at))
        }
        OrderEventKind::PaymentFailed(reason) => {
            tx.emit_caused_by(cause, &order_payment_failed(order.id, reason, at))
        }
        OrderEventKind::Expired(_) => tx.emit_caused_by(cause, &order_expired(order.id, at)),
        OrderEventKind::Cancelled(reason) => {
            tx.emit_caused_by(cause, &order_cancelled(order.id, reason, at))
        }
        OrderEventKind::StockReserved
        | OrderEventKind::StockRejected(_)
        | OrderEventKind::StockReleased
        | OrderEventKind::HoldExtended
        | OrderEventKind::StockDeducted
        | OrderEventKind::ParcelDelivered(_)
        | OrderEventKind::PaymentApproved(_)
        | OrderEventKind::PaymentDeclined(_)
        | OrderEventKind::PaymentMismatched(_)
        | OrderEventKind::RefundRequested(_)
        | OrderEventKind::PaymentRefunded(_)
        | OrderEventKind::PartRefundRequested(_)
        | OrderEventKind::PartRefunded(_)
        | OrderEventKind::ReturnRequested(_)
        | OrderEventKind::ReturnRefused(..) => return Ok(()),
    }
    .map(drop)
}

fn order_lines(order: &Order) -> Vec<OrderLine> {
    let line = |line: &domain::OrderLine| OrderLine {
        sku: line.sku.clone(),
        product_id: line.offer.as_ref().map(|offer| offer.product),
        quantity: line.quantity,
    };
    order.lines.iter().map(line).collect()
}

fn parcel_lines(lines: &[domain::ParcelLine]) -> Vec<ParcelLine> {
    let line =
        |line: &domain::ParcelLine| ParcelLine { sku: line.sku.clone(), quantity: line.quantity };
    lines.iter().map(line).collect()
}

fn order_reason(reason: &EndReason) -> OrderReason {
    OrderReason { code: reason.code.clone(), text: reason.text.clone() }
}
