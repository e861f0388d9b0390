//! From the domain to the contracts: what of the things that happen to an order is said to other services.

mod cancelled;
mod confirmed;
mod delivered;
mod expired;
mod payment_failed;
mod placed;
mod product_applied;
mod product_failed;
mod rejected;
mod shipped;

use contracts::{order::OrderReason, trace::TraceContext};
use messaging::{Error, Transaction};

use crate::domain::{Entry, Happening, Order, Reason};

pub(crate) use product_applied::product_applied;
pub(crate) use product_failed::product_failed;

/// Says what `entry` tells of `order`, if it is something of ours, as a part of the trace of what caused it.
pub(crate) fn say(
    tx: &mut Transaction,
    cause: Option<TraceContext>,
    order: &Order,
    entry: &Entry,
) -> Result<(), Error> {
    let at = entry.at;
    match &entry.what {
        Happening::Placed => tx.emit_caused_by(cause, &placed::placed(order)),
        Happening::Confirmed(payment) => match confirmed::confirmed(order, *payment, at) {
            Some(event) => tx.emit_caused_by(cause, &event),
            None => return Ok(()),
        },
        Happening::Shipped(parcel) => {
            tx.emit_caused_by(cause, &shipped::shipped(order.id, parcel, at))
        }
        Happening::Delivered => tx.emit_caused_by(cause, &delivered::delivered(order.id, at)),
        Happening::Rejected(reason) => {
            tx.emit_caused_by(cause, &rejected::rejected(order.id, reason, at))
        }
        Happening::PaymentFailed(reason) => {
            tx.emit_caused_by(cause, &payment_failed::payment_failed(order.id, reason, at))
        }
        Happening::Expired(_) => tx.emit_caused_by(cause, &expired::expired(order.id, at)),
        Happening::Cancelled(reason) => {
            tx.emit_caused_by(cause, &cancelled::cancelled(order.id, reason, at))
        }
        Happening::StockReserved
        | Happening::StockRejected(_)
        | Happening::StockReleased
        | Happening::StockDeducted
        | Happening::PaymentApproved(_)
        | Happening::PaymentDeclined(_)
        | Happening::PaymentRefunded(_) => return Ok(()),
    }
    .map(drop)
}

/// The lines of an order as other services read them.
fn lines(order: &Order) -> Vec<contracts::order::OrderLine> {
    let line = |line: &crate::domain::Line| contracts::order::OrderLine {
        sku: line.sku.clone(),
        product_id: line.offer.as_ref().map(|offer| offer.product),
        quantity: line.quantity,
    };
    order.lines.iter().map(line).collect()
}

/// A reason as other services read it.
fn reason(reason: &Reason) -> OrderReason {
    OrderReason { code: reason.code.clone(), text: reason.text.clone() }
}
