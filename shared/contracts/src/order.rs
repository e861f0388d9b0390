//! Said by `order`.

use chrono::{DateTime, Utc};
use envelope::event;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vocabulary::{CustomerId, Money, OrderId, PaymentId, ProductId, Quantity, ShipmentId, Sku};

/// The aggregate of orders.
pub const ORDER: &str = "order";

/// One line of an order, with the price at which it was placed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OrderLine {
    /// What is bought.
    pub sku: Sku,
    /// The product it is a variant of; none where the order service has not heard of the SKU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_id: Option<ProductId>,
    /// How many.
    pub quantity: Quantity,
}

/// An order was taken: stock is to be reserved for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OrderPlacedV1 {
    /// Which order.
    pub order_id: OrderId,
    /// Whose.
    pub customer_id: CustomerId,
    /// What is ordered, sorted by SKU, each SKU once.
    pub lines: Vec<OrderLine>,
    /// When.
    pub placed_at: DateTime<Utc>,
}

event!(OrderPlacedV1, "order.placed.v1", ORDER, event => event.order_id.to_string());

/// An order is paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OrderConfirmedV1 {
    /// Which order.
    pub order_id: OrderId,
    /// Whose.
    pub customer_id: CustomerId,
    /// What was bought.
    pub lines: Vec<OrderLine>,
    /// What was paid in all.
    pub total: Money,
    /// By which payment.
    pub payment_id: PaymentId,
    /// When.
    pub confirmed_at: DateTime<Utc>,
}

event!(OrderConfirmedV1, "order.confirmed.v1", ORDER, event => event.order_id.to_string());

/// The parcel has left: its stock is to be deducted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OrderShippedV1 {
    /// Which order.
    pub order_id: OrderId,
    /// In which parcel.
    pub shipment_id: ShipmentId,
    /// Who carries it.
    pub carrier: String,
    /// Its number there.
    pub tracking_number: String,
    /// When.
    pub shipped_at: DateTime<Utc>,
}

event!(OrderShippedV1, "order.shipped.v1", ORDER, event => event.order_id.to_string());

/// The parcel has arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OrderDeliveredV1 {
    /// Which order.
    pub order_id: OrderId,
    /// When.
    pub delivered_at: DateTime<Utc>,
}

event!(OrderDeliveredV1, "order.delivered.v1", ORDER, event => event.order_id.to_string());

/// Why an order ended without being shipped: a code for programs, a text for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OrderReason {
    /// Stable, such as `insufficient_stock`.
    pub code: String,
    /// One sentence.
    pub text: String,
}

/// An order could not be taken on: nothing is reserved for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OrderRejectedV1 {
    /// Which order.
    pub order_id: OrderId,
    /// Why.
    pub reason: OrderReason,
    /// When.
    pub rejected_at: DateTime<Utc>,
}

event!(OrderRejectedV1, "order.rejected.v1", ORDER, event => event.order_id.to_string());

/// The payment was declined: what is reserved is to be released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OrderPaymentFailedV1 {
    /// Which order.
    pub order_id: OrderId,
    /// Why.
    pub reason: OrderReason,
    /// When.
    pub failed_at: DateTime<Utc>,
}

event!(OrderPaymentFailedV1, "order.payment_failed.v1", ORDER, event => event.order_id.to_string());

/// Nobody paid in time: what is reserved is to be released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OrderExpiredV1 {
    /// Which order.
    pub order_id: OrderId,
    /// When.
    pub expired_at: DateTime<Utc>,
}

event!(OrderExpiredV1, "order.expired.v1", ORDER, event => event.order_id.to_string());

/// The customer or the shop called it off before it was shipped: what is reserved is to be released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OrderCancelledV1 {
    /// Which order.
    pub order_id: OrderId,
    /// Why.
    pub reason: OrderReason,
    /// When.
    pub cancelled_at: DateTime<Utc>,
}

event!(OrderCancelledV1, "order.cancelled.v1", ORDER, event => event.order_id.to_string());
