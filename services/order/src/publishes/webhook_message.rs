//! Messages to webhook endpoints. They carry ids and amounts, and no personal data, except the request of a shipment: a carrier
//! needs the address.

use chrono::{DateTime, Utc};
use contracts::{
    catalog::{ProductChangedV1, ProductDeletedV1},
    inventory::{StockAvailabilityChangedV1, StockLowV1},
};
use serde_json::{Value, json};
use vocabulary::{Quantity, Sku, WebhookMessageId};

use crate::domain::{
    Address, EndReason, NewReturn, Order, OrderEvent, OrderEventKind, OrderLine, Parcel,
    ParcelLine, PartRefund, ReturnReason,
    webhooks::{WebhookEventType, WebhookMessage},
};

/// The type of the message of the test button. Nobody subscribes to it.
const TEST_TYPE: &str = "webhook.test";

/// The type of the messages about events of this kind, if webhooks report them.
pub(crate) const fn order_event_type(kind: &OrderEventKind) -> Option<WebhookEventType> {
    match kind {
        OrderEventKind::Confirmed(_) => Some(WebhookEventType::OrderPaid),
        OrderEventKind::Shipped(_) => Some(WebhookEventType::OrderShipped),
        OrderEventKind::ParcelShipped(..) => Some(WebhookEventType::OrderParcelShipped),
        OrderEventKind::ParcelDelivered(_) => Some(WebhookEventType::OrderParcelDelivered),
        OrderEventKind::Delivered => Some(WebhookEventType::OrderDelivered),
        OrderEventKind::Cancelled(_) => Some(WebhookEventType::OrderCancelled),
        OrderEventKind::LineCancelled(_) => Some(WebhookEventType::OrderLineCancelled),
        OrderEventKind::PaymentRefunded(_) | OrderEventKind::PartRefunded(_) => {
            Some(WebhookEventType::OrderRefunded)
        }
        OrderEventKind::ReturnRequested(_) => Some(WebhookEventType::ReturnAnnounced),
        OrderEventKind::ReturnReceived(_) => Some(WebhookEventType::ReturnReceived),
        OrderEventKind::Placed(_)
        | OrderEventKind::StockReserved
        | OrderEventKind::StockRejected(_)
        | OrderEventKind::StockReleased
        | OrderEventKind::HoldExtended
        | OrderEventKind::StockDeducted
        | OrderEventKind::PaymentApproved(_)
        | OrderEventKind::PaymentDeclined(_)
        | OrderEventKind::PaymentMismatched(_)
        | OrderEventKind::RefundRequested(_)
        | OrderEventKind::PartRefundRequested(_)
        | OrderEventKind::ReturnRefused(..)
        | OrderEventKind::Rejected(_)
        | OrderEventKind::PaymentFailed(_)
        | OrderEventKind::Expired(_) => None,
    }
}

/// The message about `event` of `order`. Its key is the order.
pub(crate) fn order_message(
    event_type: WebhookEventType,
    order: &Order,
    event: &OrderEvent,
) -> WebhookMessage {
    let mut data = json!({ "order_id": order.id, "customer_id": order.customer });
    let mut add = |name: &str, value: Value| data[name] = value;
    match &event.kind {
        OrderEventKind::Confirmed(payment) => {
            add("payment_id", json!(payment));
            add("total", json!(order.total()));
            add("lines", order.lines.iter().map(line).collect());
        }
        OrderEventKind::ParcelShipped(parcel, shipment) => {
            add("parcel_id", json!(parcel));
            add("shipment_id", json!(shipment.id));
            add("carrier", json!(shipment.carrier));
            add("tracking_number", json!(shipment.tracking_number));
        }
        OrderEventKind::ParcelDelivered(parcel) => add("parcel_id", json!(parcel)),
        OrderEventKind::Shipped(shipment) => {
            add("shipment_id", json!(shipment.id));
            add("carrier", json!(shipment.carrier));
            add("tracking_number", json!(shipment.tracking_number));
        }
        OrderEventKind::Cancelled(EndReason { code, text, .. }) => {
            add("reason", json!({ "code": code, "text": text }));
        }
        OrderEventKind::PaymentRefunded(payment) => {
            // A payment of another amount settles nothing and is not refunded by this service.
            add("payment_id", json!(payment));
            add("amount", json!(order.rest_to_refund()));
        }
        OrderEventKind::LineCancelled(cancellation) => {
            add("sku", json!(cancellation.sku));
            add("quantity", json!(cancellation.quantity()));
            let parcel = |parcel: &Parcel| json!({ "parcel_id": parcel.id, "lines": parcel_lines(&parcel.lines) });
            add("parcels", order.parcel_list().iter().map(parcel).collect());
        }
        OrderEventKind::PartRefunded(PartRefund { id, payment, amount }) => {
            add("payment_id", json!(payment));
            add("refund_id", json!(id));
            add("amount", json!(amount));
        }
        OrderEventKind::ReturnRequested(NewReturn { id, lines }) => {
            add("return_id", json!(id));
            let line = |(sku, quantity, reason): &(Sku, Quantity, ReturnReason)| json!({ "sku": sku, "quantity": quantity, "reason": reason.as_str() });
            add("lines", lines.iter().map(line).collect());
        }
        OrderEventKind::ReturnReceived(pieces) => {
            add("return_id", json!(pieces.id));
            add("warehouse_id", json!(pieces.warehouse));
            add("restocked", parcel_lines(&pieces.restocked));
            add("written_off", parcel_lines(&pieces.written_off));
        }
        OrderEventKind::Delivered
        | OrderEventKind::Placed(_)
        | OrderEventKind::StockReserved
        | OrderEventKind::StockRejected(_)
        | OrderEventKind::StockReleased
        | OrderEventKind::HoldExtended
        | OrderEventKind::StockDeducted
        | OrderEventKind::PaymentApproved(_)
        | OrderEventKind::PaymentDeclined(_)
        | OrderEventKind::PaymentMismatched(_)
        | OrderEventKind::RefundRequested(_)
        | OrderEventKind::PartRefundRequested(_)
        | OrderEventKind::ReturnRefused(..)
        | OrderEventKind::Rejected(_)
        | OrderEventKind::PaymentFailed(_)
        | OrderEventKind::Expired(_) => {}
    }
    message(event_type, order.id.to_string(), event.at, &data)
}

/// The requests to ship the parcels of an order that was paid at this time. Their key is the order.
pub(crate) fn shipment_requests(
    order: &Order,
    address: &Address,
    at: DateTime<Utc>,
) -> Vec<WebhookMessage> {
    let request = |parcel: Parcel| {
        let data = json!({
            "order_id": order.id,
            "parcel_id": parcel.id,
            "warehouse_id": parcel.warehouse,
            "lines": parcel_lines(&parcel.lines),
            "address": {
                "name": address.name,
                "line1": address.line1,
                "line2": address.line2,
                "city": address.city,
                "region": address.region,
                "postal_code": address.postal_code,
                "country": address.country,
                "phone": address.phone,
            },
        });
        message(WebhookEventType::ShipmentRequested, order.id.to_string(), at, &data)
    };
    order.parcel_list().into_iter().map(request).collect()
}

/// The message about the availability of a SKU. Its key is the SKU.
pub(crate) fn availability_message(event: &StockAvailabilityChangedV1) -> WebhookMessage {
    let event_type =
        if event.in_stock { WebhookEventType::StockBack } else { WebhookEventType::StockOut };
    let data = json!({ "sku": event.sku, "version": event.version });
    message(event_type, event.sku.to_string(), event.changed_at, &data)
}

/// The message about a SKU of which few pieces are available. Its key is the SKU.
pub(crate) fn low_stock_message(event: &StockLowV1) -> WebhookMessage {
    let data = json!({
        "sku": event.sku,
        "version": event.version,
        "available": event.available,
        "threshold": event.threshold,
    });
    message(WebhookEventType::StockLow, event.sku.to_string(), event.changed_at, &data)
}

/// The message about the full state of a product. Its key is the product.
pub(crate) fn product_message(event: &ProductChangedV1) -> WebhookMessage {
    let data = json!(event);
    let key = event.product_id.to_string();
    message(WebhookEventType::ProductChanged, key, event.updated_at, &data)
}

/// The message about a deleted product. Its key is the product.
pub(crate) fn deletion_message(event: &ProductDeletedV1) -> WebhookMessage {
    let data = json!({ "product_id": event.product_id, "version": event.version });
    let key = event.product_id.to_string();
    message(WebhookEventType::ProductDeleted, key, event.deleted_at, &data)
}

fn message(
    event_type: WebhookEventType,
    key: String,
    at: DateTime<Utc>,
    data: &Value,
) -> WebhookMessage {
    WebhookMessage {
        id: WebhookMessageId::new(),
        event_type,
        key,
        body: body(event_type.as_str(), at, data),
        occurred_at: at,
    }
}

/// The type and the body of a test message.
pub(crate) fn test_message(at: DateTime<Utc>) -> (&'static str, Vec<u8>) {
    let data = json!({ "text": "This is a test. The signature is valid if you can verify it." });
    (TEST_TYPE, body(TEST_TYPE, at, &data))
}

fn line(line: &OrderLine) -> Value {
    json!({
        "sku": line.sku,
        "product_id": line.offer.as_ref().map(|offer| offer.product),
        "quantity": line.quantity,
        "unit_price": line.offer.as_ref().map(|offer| offer.price),
    })
}

fn parcel_lines(lines: &[ParcelLine]) -> Value {
    lines.iter().map(|line| json!({ "sku": line.sku, "quantity": line.quantity })).collect()
}

/// The payload of the Standard Webhooks specification.
fn body(event_type: &str, at: DateTime<Utc>, data: &Value) -> Vec<u8> {
    json!({ "type": event_type, "timestamp": at, "data": data }).to_string().into_bytes()
}
