//! What happened, as the timeline has it: service, event and detail.

use contracts::{
    Event,
    inventory::{StockDeductedV1, StockRejectedV1, StockReleasedV1, StockReservedV1},
    order::{
        OrderCancelledV1, OrderConfirmedV1, OrderDeliveredV1, OrderExpiredV1, OrderPaymentFailedV1,
        OrderPlacedV1, OrderRejectedV1, OrderShippedV1,
    },
};
use serde_json::{Value, json};

use crate::{
    INVENTORY, SERVICE,
    domain::{Entry, Happening, Order, Payment, Reason},
    storage::timeline::NewEntry,
};

/// The entry of the timeline that tells of `entry`.
pub(super) fn told(order: &Order, entry: &Entry) -> NewEntry {
    let (service, event, detail) = match &entry.what {
        Happening::Placed => (
            SERVICE.name,
            OrderPlacedV1::TYPE,
            json!({ "total": order.total, "lines": order.lines.len() }),
        ),
        Happening::StockReserved => (INVENTORY, StockReservedV1::TYPE, json!({})),
        Happening::StockRejected(reason) => (INVENTORY, StockRejectedV1::TYPE, why(reason)),
        Happening::StockReleased => (INVENTORY, StockReleasedV1::TYPE, json!({})),
        Happening::StockDeducted => (INVENTORY, StockDeductedV1::TYPE, json!({})),
        Happening::PaymentApproved(payment) => (SERVICE.name, "payment.approved", paid(payment)),
        Happening::PaymentDeclined(payment) => (SERVICE.name, "payment.declined", paid(payment)),
        Happening::PaymentRefunded(payment) => {
            (SERVICE.name, "payment.refunded", json!({ "payment_id": payment }))
        }
        Happening::Confirmed(payment) => (
            SERVICE.name,
            OrderConfirmedV1::TYPE,
            json!({ "payment_id": payment, "total": order.total }),
        ),
        Happening::Shipped(parcel) => (
            SERVICE.name,
            OrderShippedV1::TYPE,
            json!({ "carrier": parcel.carrier, "tracking_number": parcel.tracking_number }),
        ),
        Happening::Delivered => (SERVICE.name, OrderDeliveredV1::TYPE, json!({})),
        Happening::Rejected(reason) => (SERVICE.name, OrderRejectedV1::TYPE, why(reason)),
        Happening::PaymentFailed(reason) => (SERVICE.name, OrderPaymentFailedV1::TYPE, why(reason)),
        Happening::Expired(reason) => (SERVICE.name, OrderExpiredV1::TYPE, why(reason)),
        Happening::Cancelled(reason) => (SERVICE.name, OrderCancelledV1::TYPE, why(reason)),
    };
    NewEntry { order: order.id, at: entry.at, service, event, status: entry.status, detail }
}

fn why(reason: &Reason) -> Value {
    json!({ "reason": reason })
}

fn paid(payment: &Payment) -> Value {
    match &payment.reference {
        Some(reference) => json!({ "payment_id": payment.id, "reference": reference }),
        None => json!({ "payment_id": payment.id }),
    }
}
