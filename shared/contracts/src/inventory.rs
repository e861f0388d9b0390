//! Events of `inventory`.
//!
//! Three aggregates: reservations are keyed by order ([`RESERVATION`]), stock levels by SKU ([`STOCK`]), and so is whether
//! there is stock at all ([`AVAILABILITY`]). So a consumer of reservations or availability does not receive every stock
//! movement.

use chrono::{DateTime, Utc};
use envelope::{FullState, event};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vocabulary::{OrderId, Quantity, Sku, Version, WarehouseId};

/// The aggregate of reservations; the key is the order.
pub const RESERVATION: &str = "reservation";

/// The aggregate of stock levels; the key is the SKU.
pub const STOCK: &str = "stock";

/// The aggregate of availability, which changes rarely: sold out, back in stock, low. The key is the SKU.
pub const AVAILABILITY: &str = "availability";

/// A number of pieces of a SKU that a warehouse holds for an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Allocation {
    pub sku: Sku,
    pub warehouse_id: WarehouseId,
    pub quantity: Quantity,
}

/// The stock for all lines of an order was reserved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StockReservedV1 {
    pub order_id: OrderId,
    pub reserved_at: DateTime<Utc>,
    /// The smallest number of pieces that are still available, among the SKUs of the order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<i64>,
    /// Which warehouse holds what; absent if a publisher of an earlier version reserved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocations: Option<Vec<Allocation>>,
}

event!(StockReservedV1, "stock.reserved.v1", RESERVATION, event => event.order_id.to_string());

/// There is not enough stock for an order; nothing was reserved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StockRejectedV1 {
    pub order_id: OrderId,
    pub reason: StockRejection,
    /// The SKUs without enough stock.
    pub shortages: Vec<Shortage>,
    pub rejected_at: DateTime<Utc>,
}

event!(StockRejectedV1, "stock.rejected.v1", RESERVATION, event => event.order_id.to_string());

/// Why stock was not reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StockRejection {
    /// The available stock is less than requested.
    InsufficientStock,
    /// Inventory does not know the SKU.
    UnknownSku,
}

impl StockRejection {
    /// The code, as in JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Self::InsufficientStock => "insufficient_stock",
            Self::UnknownSku => "unknown_sku",
        }
    }
}

/// A SKU without enough stock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Shortage {
    pub sku: Sku,
    pub requested: i64,
    /// Available when the order was rejected.
    pub available: i64,
}

/// The reservation of an order was released: its stock is available again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StockReleasedV1 {
    pub order_id: OrderId,
    pub released_at: DateTime<Utc>,
}

event!(StockReleasedV1, "stock.released.v1", RESERVATION, event => event.order_id.to_string());

/// The reserved stock of an order was deducted: it has left the warehouse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StockDeductedV1 {
    pub order_id: OrderId,
    pub deducted_at: DateTime<Utc>,
}

event!(StockDeductedV1, "stock.deducted.v1", RESERVATION, event => event.order_id.to_string());

/// The stock level of a SKU over all warehouses. Full state: the highest version wins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StockChangedV1 {
    pub sku: Sku,
    /// Increases with every change of the stock level.
    pub version: Version,
    /// Pieces in all warehouses.
    pub on_hand: i64,
    /// Pieces reserved for orders.
    pub reserved: i64,
    /// Pieces that can be ordered: `on_hand` minus `reserved`.
    pub available: i64,
    pub changed_at: DateTime<Utc>,
}

event!(StockChangedV1, "stock.changed.v1", STOCK, event => event.sku.as_str());

impl FullState for StockChangedV1 {}

/// The last available piece of a SKU was reserved, or the SKU has available pieces again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StockAvailabilityChangedV1 {
    pub sku: Sku,
    /// The version of the stock level.
    pub version: Version,
    /// Whether a piece can be ordered.
    pub in_stock: bool,
    pub changed_at: DateTime<Utc>,
}

event!(StockAvailabilityChangedV1, "stock.availability_changed.v1", AVAILABILITY, event => event.sku.as_str());

/// The available pieces of a SKU fell to its threshold or below. Published once, until they have been above it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StockLowV1 {
    pub sku: Sku,
    /// The version of the stock level.
    pub version: Version,
    /// Pieces that can be ordered; none if the SKU sold out at once.
    pub available: i64,
    pub threshold: i64,
    pub changed_at: DateTime<Utc>,
}

event!(StockLowV1, "stock.low.v1", AVAILABILITY, event => event.sku.as_str());
