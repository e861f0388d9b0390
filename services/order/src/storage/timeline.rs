//! The timeline of orders.

use chrono::{DateTime, Utc};
use contracts::{
    inventory::{StockDeductedV1, StockRejectedV1, StockReleasedV1, StockReservedV1},
    order::{
        OrderCancelledV1, OrderConfirmedV1, OrderDeliveredV1, OrderExpiredV1, OrderLineCancelledV1,
        OrderParcelShippedV1, OrderPaymentFailedV1, OrderPlacedV1, OrderRejectedV1,
        OrderReturnReceivedV1, OrderShippedV1,
    },
};
use envelope::Event;
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;
use vocabulary::{OrderId, ParcelId};

use super::{json_columns::ReasonJson, undecodable};
use crate::{
    domain::{
        EndReason, LineCancellation, Order, OrderEvent, OrderEventKind, OrderStatus, ParcelLine,
        PartRefund, Payment, ReturnedPieces, Shipment, webhooks::SubscribedTypes,
    },
    names::{INVENTORY, SERVICE},
};

/// The maximum number of entries of one read; an order rarely has more than a dozen.
const MAX_ENTRIES: i64 = 1_000;

#[derive(Debug, Clone)]
pub(crate) struct TimelineEntry {
    /// Increases within an order.
    pub(crate) position: i64,
    pub(crate) at: DateTime<Utc>,
    /// The service in which the event happened.
    pub(crate) service: String,
    pub(crate) event: String,
    /// The status of the order after the event.
    pub(crate) status: OrderStatus,
    /// A JSON object.
    pub(crate) detail: Value,
}

/// Appends events in their order. The rows of their orders are locked or new. Returns the types that webhook endpoints
/// subscribe to: a statement of its own would cost every transaction of the order process a round trip.
pub(crate) async fn append(
    connection: &mut PgConnection,
    events: &[(&Order, &OrderEvent)],
) -> Result<SubscribedTypes, sqlx::Error> {
    let orders: Vec<Uuid> = events.iter().map(|(order, _)| order.id.as_uuid()).collect();
    let times: Vec<DateTime<Utc>> = events.iter().map(|(_, event)| event.at).collect();
    let statuses: Vec<&str> = events.iter().map(|(_, event)| event.status.as_str()).collect();
    let mut services = Vec::with_capacity(events.len());
    let mut names = Vec::with_capacity(events.len());
    let mut details = Vec::with_capacity(events.len());
    for (order, event) in events {
        let (service, name, detail) = timeline_entry(order, &event.kind);
        services.push(service);
        names.push(name);
        details.push(detail);
    }
    let subscribed = sqlx::query_scalar!(
        r#"
        with appended as (
            insert into order_timeline (order_id, at, service, event, status, detail)
            select order_id, at, service, event, status, detail
            from unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::jsonb[])
                with ordinality as new (order_id, at, service, event, status, detail, place)
            order by place
        )
        select array(select distinct unnest(event_types) from webhook_endpoint where status <> 'disabled') as "types!"
        "#,
        &orders,
        &times,
        &services as &[&str],
        &names as &[&str],
        &statuses as &[&str],
        &details,
    )
    .fetch_one(connection)
    .await?;
    Ok(SubscribedTypes::of(subscribed.iter().map(String::as_str)))
}

/// Maps an event to the service, the event name and the detail of its entry.
fn timeline_entry(order: &Order, event: &OrderEventKind) -> (&'static str, &'static str, Value) {
    let order_service = SERVICE.name;
    match event {
        OrderEventKind::Placed(_) => (order_service, OrderPlacedV1::TYPE, placed_detail(order)),
        OrderEventKind::StockReserved => (INVENTORY, StockReservedV1::TYPE, json!({})),
        OrderEventKind::StockRejected(reason) => {
            (INVENTORY, StockRejectedV1::TYPE, reason_detail(reason))
        }
        OrderEventKind::StockReleased => (INVENTORY, StockReleasedV1::TYPE, json!({})),
        OrderEventKind::StockDeducted => (INVENTORY, StockDeductedV1::TYPE, json!({})),
        OrderEventKind::HoldExtended => {
            (order_service, "hold.extended", json!({ "expires_at": order.state.deadline() }))
        }
        OrderEventKind::PaymentApproved(payment) => {
            (order_service, "payment.approved", payment_detail(payment))
        }
        OrderEventKind::PaymentDeclined(payment) => {
            (order_service, "payment.declined", payment_detail(payment))
        }
        OrderEventKind::PaymentMismatched(payment) => {
            (order_service, "payment.mismatched", mismatch_detail(order, payment))
        }
        OrderEventKind::RefundRequested(payment) => {
            (order_service, "payment.refund_requested", json!({ "payment_id": payment }))
        }
        OrderEventKind::PaymentRefunded(payment) => {
            (order_service, "payment.refunded", json!({ "payment_id": payment }))
        }
        OrderEventKind::PartRefundRequested(refund) => {
            (order_service, "payment.refund_requested", refund_detail(refund))
        }
        OrderEventKind::PartRefunded(refund) => {
            (order_service, "payment.refunded", refund_detail(refund))
        }
        OrderEventKind::LineCancelled(cancellation) => {
            (order_service, OrderLineCancelledV1::TYPE, cancellation_detail(cancellation))
        }
        OrderEventKind::ReturnRequested(new) => {
            (order_service, "return.requested", json!({ "return_id": new.id }))
        }
        OrderEventKind::ReturnReceived(pieces) => {
            (order_service, OrderReturnReceivedV1::TYPE, received_detail(pieces))
        }
        OrderEventKind::ReturnRefused(id, refusal) => (
            order_service,
            "return.refused",
            json!({ "return_id": id, "refusal": refusal.as_str() }),
        ),
        OrderEventKind::Confirmed(payment) => (
            order_service,
            OrderConfirmedV1::TYPE,
            json!({ "payment_id": payment, "total": order.total() }),
        ),
        OrderEventKind::ParcelShipped(parcel, shipment) => {
            (order_service, OrderParcelShippedV1::TYPE, parcel_detail(*parcel, shipment))
        }
        OrderEventKind::ParcelDelivered(parcel) => {
            (order_service, "parcel.delivered", json!({ "parcel_id": parcel }))
        }
        OrderEventKind::Shipped(shipment) => (
            order_service,
            OrderShippedV1::TYPE,
            json!({ "carrier": shipment.carrier, "tracking_number": shipment.tracking_number }),
        ),
        OrderEventKind::Delivered => (order_service, OrderDeliveredV1::TYPE, json!({})),
        OrderEventKind::Rejected(reason) => {
            (order_service, OrderRejectedV1::TYPE, reason_detail(reason))
        }
        OrderEventKind::PaymentFailed(reason) => {
            (order_service, OrderPaymentFailedV1::TYPE, reason_detail(reason))
        }
        OrderEventKind::Expired(reason) => {
            (order_service, OrderExpiredV1::TYPE, reason_detail(reason))
        }
        OrderEventKind::Cancelled(reason) => {
            (order_service, OrderCancelledV1::TYPE, reason_detail(reason))
        }
    }
}

fn placed_detail(order: &Order) -> Value {
    json!({ "total": order.total(), "lines": order.lines.len() })
}

fn mismatch_detail(order: &Order, payment: &Payment) -> Value {
    let mut detail = payment_detail(payment);
    detail["paid"] = json!(payment.amount);
    detail["total"] = json!(order.total());
    detail
}

fn parcel_detail(parcel: ParcelId, shipment: &Shipment) -> Value {
    json!({
        "parcel_id": parcel,
        "carrier": shipment.carrier,
        "tracking_number": shipment.tracking_number,
    })
}

fn cancellation_detail(cancellation: &LineCancellation) -> Value {
    json!({ "sku": cancellation.sku, "quantity": cancellation.quantity() })
}

fn received_detail(pieces: &ReturnedPieces) -> Value {
    json!({
        "return_id": pieces.id,
        "restocked": count(&pieces.restocked),
        "written_off": count(&pieces.written_off),
    })
}

/// The number of pieces of lines.
fn count(lines: &[ParcelLine]) -> u64 {
    lines.iter().map(|line| u64::from(line.quantity.get())).sum()
}

fn refund_detail(refund: &PartRefund) -> Value {
    json!({ "payment_id": refund.payment, "refund_id": refund.id, "amount": refund.amount })
}

fn reason_detail(reason: &EndReason) -> Value {
    json!({ "reason": ReasonJson::from(reason) })
}

fn payment_detail(payment: &Payment) -> Value {
    match &payment.reference {
        Some(reference) => json!({ "payment_id": payment.id, "reference": reference }),
        None => json!({ "payment_id": payment.id }),
    }
}

/// The entries of an order after `position`.
pub(crate) async fn list_after(
    connection: &mut PgConnection,
    order: OrderId,
    position: i64,
) -> Result<Vec<TimelineEntry>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        select position, at, service, event, status, detail
        from order_timeline where order_id = $1 and position > $2
        order by position
        limit $3
        "#,
        order.as_uuid(),
        position,
        MAX_ENTRIES,
    )
    .fetch_all(connection)
    .await?;
    let entries = rows.into_iter().map(|row| {
        Ok(TimelineEntry {
            position: row.position,
            at: row.at,
            service: row.service,
            event: row.event,
            status: row.status.parse().map_err(undecodable)?,
            detail: row.detail,
        })
    });
    entries.collect()
}
