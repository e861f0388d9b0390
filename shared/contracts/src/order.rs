//! Events of `order`.

use chrono::{DateTime, Utc};
use envelope::event;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vocabulary::{
    CustomerId, Money, OrderId, ParcelId, PaymentId, ProductId, Quantity, RefundId, ReturnId,
    ShipmentId, Sku, WarehouseId,
};

/// The aggregate of orders; the key is the order.
pub const ORDER: &str = "order";

/// The aggregate of customers; the key is the customer.
pub const CUSTOMER: &str = "customer";

/// A line of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OrderLine {
    pub sku: Sku,
    /// The product of the SKU; absent if the order service does not know the SKU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_id: Option<ProductId>,
    pub quantity: Quantity,
}

/// Where the parcels of an order go, without personal data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Destination {
    /// ISO 3166-1: two capital letters.
    pub country: String,
    /// The province or state, such as `ZJ` or `浙江省`; absent if the address has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

/// An order was placed: reserve stock for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OrderPlacedV1 {
    pub order_id: OrderId,
    pub customer_id: CustomerId,
    /// Sorted by SKU; each SKU occurs once.
    pub lines: Vec<OrderLine>,
    /// Absent if a publisher of an earlier version placed the order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<Destination>,
    pub placed_at: DateTime<Utc>,
}

event!(OrderPlacedV1, "order.placed.v1", ORDER, event => event.order_id.to_string());

/// A parcel of an order: what one warehouse sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Parcel {
    pub parcel_id: ParcelId,
    /// Absent if inventory did not tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warehouse_id: Option<WarehouseId>,
    pub lines: Vec<ParcelLine>,
}

/// A line of a parcel or of a return.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ParcelLine {
    pub sku: Sku,
    pub quantity: Quantity,
}

/// An order was paid: ship its parcels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OrderConfirmedV1 {
    pub order_id: OrderId,
    pub customer_id: CustomerId,
    pub lines: Vec<OrderLine>,
    pub total: Money,
    pub payment_id: PaymentId,
    /// All lines, one parcel for each warehouse, without the address: a carrier gets that from the order service. Absent if a publisher of
    /// an earlier version confirmed the order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parcels: Option<Vec<Parcel>>,
    pub confirmed_at: DateTime<Utc>,
}

event!(OrderConfirmedV1, "order.confirmed.v1", ORDER, event => event.order_id.to_string());

/// One of several parcels of an order was handed to the carrier: deduct its stock. An order with a single parcel has none of these
/// events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OrderParcelShippedV1 {
    pub order_id: OrderId,
    pub parcel_id: ParcelId,
    pub warehouse_id: WarehouseId,
    pub lines: Vec<ParcelLine>,
    pub shipment_id: ShipmentId,
    pub carrier: String,
    /// Issued by the carrier.
    pub tracking_number: String,
    pub shipped_at: DateTime<Utc>,
}

event!(OrderParcelShippedV1, "order.parcel_shipped.v1", ORDER, event => event.order_id.to_string());

/// An order was handed to the carrier, its only parcel or the last one: deduct its stock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OrderShippedV1 {
    pub order_id: OrderId,
    pub shipment_id: ShipmentId,
    pub carrier: String,
    /// Issued by the carrier.
    pub tracking_number: String,
    pub shipped_at: DateTime<Utc>,
}

event!(OrderShippedV1, "order.shipped.v1", ORDER, event => event.order_id.to_string());

/// An order was delivered, its only parcel or the last one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OrderDeliveredV1 {
    pub order_id: OrderId,
    pub delivered_at: DateTime<Utc>,
}

event!(OrderDeliveredV1, "order.delivered.v1", ORDER, event => event.order_id.to_string());

/// Pieces of an order came back to a warehouse: add them to its stock, or write them off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OrderReturnReceivedV1 {
    pub order_id: OrderId,
    pub return_id: ReturnId,
    /// Where the pieces are; absent if that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warehouse_id: Option<WarehouseId>,
    /// What can be sold again. Each SKU occurs once.
    pub restocked: Vec<ParcelLine>,
    /// What cannot be sold any more. Each SKU occurs once.
    pub written_off: Vec<ParcelLine>,
    pub received_at: DateTime<Utc>,
}

event!(OrderReturnReceivedV1, "order.return_received.v1", ORDER, event => event.order_id.to_string());

/// Why an order ended without a shipment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OrderReason {
    /// For programs; stable, such as `insufficient_stock`.
    pub code: String,
    /// For people, one sentence.
    pub text: String,
}

/// An order was rejected: no stock is reserved for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OrderRejectedV1 {
    pub order_id: OrderId,
    pub reason: OrderReason,
    pub rejected_at: DateTime<Utc>,
}

event!(OrderRejectedV1, "order.rejected.v1", ORDER, event => event.order_id.to_string());

/// The payment of an order was declined: release its reservation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OrderPaymentFailedV1 {
    pub order_id: OrderId,
    pub reason: OrderReason,
    pub failed_at: DateTime<Utc>,
}

event!(OrderPaymentFailedV1, "order.payment_failed.v1", ORDER, event => event.order_id.to_string());

/// An order was not paid in time: release its reservation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OrderExpiredV1 {
    pub order_id: OrderId,
    pub expired_at: DateTime<Utc>,
}

event!(OrderExpiredV1, "order.expired.v1", ORDER, event => event.order_id.to_string());

/// Pieces of a line of an order were cancelled before its shipment: release them. The rest of the order stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OrderLineCancelledV1 {
    pub order_id: OrderId,
    pub cancellation_id: RefundId,
    pub sku: Sku,
    /// From which warehouses, in the order in which they were allocated; one without a warehouse if that is not known.
    pub pieces: Vec<CancelledPieces>,
    pub cancelled_at: DateTime<Utc>,
}

event!(OrderLineCancelledV1, "order.line_cancelled.v1", ORDER, event => event.order_id.to_string());

/// Cancelled pieces of a SKU in one warehouse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CancelledPieces {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warehouse_id: Option<WarehouseId>,
    pub quantity: Quantity,
}

/// The customer or the shop cancelled an order before its shipment: release its reservation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OrderCancelledV1 {
    pub order_id: OrderId,
    pub reason: OrderReason,
    pub cancelled_at: DateTime<Utc>,
}

event!(OrderCancelledV1, "order.cancelled.v1", ORDER, event => event.order_id.to_string());

/// The data of a customer must go: delete what you store about the customer, and drop what arrives later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CustomerErasedV1 {
    pub customer_id: CustomerId,
    /// When the erasure was requested.
    pub erased_at: DateTime<Utc>,
}

event!(CustomerErasedV1, "customer.erased.v1", CUSTOMER, event => event.customer_id.to_string());
