//! Said by `inventory`.
//!
//! Two aggregates: what was decided for an order is keyed by the order ([`RESERVATION`]), the level of a SKU by the SKU
//! ([`STOCK`]). Who waits for an order's reservation need not read every movement of every SKU.

use chrono::{DateTime, Utc};
use envelope::event;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vocabulary::{OrderId, Sku, Version};

/// The aggregate of decisions on orders.
pub const RESERVATION: &str = "reservation";

/// The aggregate of stock levels.
pub const STOCK: &str = "stock";

/// All that an order asks for is set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StockReservedV1 {
    /// For which order.
    pub order_id: OrderId,
    /// When.
    pub reserved_at: DateTime<Utc>,
}

event!(StockReservedV1, "stock.reserved.v1", RESERVATION, event => event.order_id.to_string());

/// An order asks for what is not there; nothing is set aside for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StockRejectedV1 {
    /// Which order.
    pub order_id: OrderId,
    /// Why.
    pub reason: StockRejection,
    /// What is missing.
    pub shortages: Vec<Shortage>,
    /// When.
    pub rejected_at: DateTime<Utc>,
}

event!(StockRejectedV1, "stock.rejected.v1", RESERVATION, event => event.order_id.to_string());

/// Why stock was not set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StockRejection {
    /// Fewer are available than were asked for.
    InsufficientStock,
    /// Inventory has never heard of the SKU.
    UnknownSku,
}

impl StockRejection {
    /// The code as it stands in JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Self::InsufficientStock => "insufficient_stock",
            Self::UnknownSku => "unknown_sku",
        }
    }
}

/// One SKU of which there was not enough.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Shortage {
    /// Which.
    pub sku: Sku,
    /// How many were asked for.
    pub requested: i64,
    /// How many there were.
    pub available: i64,
}

/// What was set aside for an order is free again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StockReleasedV1 {
    /// For which order it had been.
    pub order_id: OrderId,
    /// When.
    pub released_at: DateTime<Utc>,
}

event!(StockReleasedV1, "stock.released.v1", RESERVATION, event => event.order_id.to_string());

/// What was set aside for an order has left the warehouse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StockDeductedV1 {
    /// For which order.
    pub order_id: OrderId,
    /// When.
    pub deducted_at: DateTime<Utc>,
}

event!(StockDeductedV1, "stock.deducted.v1", RESERVATION, event => event.order_id.to_string());

/// The level of a SKU over all warehouses: full state, the newest version counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StockChangedV1 {
    /// Which SKU.
    pub sku: Sku,
    /// Counts up with every change of this SKU.
    pub version: Version,
    /// Pieces in the warehouses.
    pub on_hand: i64,
    /// Of these, set aside for orders.
    pub reserved: i64,
    /// Of these, free to be ordered.
    pub available: i64,
    /// When.
    pub changed_at: DateTime<Utc>,
}

event!(StockChangedV1, "stock.changed.v1", STOCK, event => event.sku.as_str());
