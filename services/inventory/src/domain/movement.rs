//! Movements of stock: the lines of the ledger.

use chrono::{DateTime, Utc};
use vocabulary::{OrderId, Sku, WarehouseId};

use super::WarehouseStock;

/// Why stock moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MovementKind {
    /// A person or program set the quantity on hand.
    Set,
    /// A person or program added or removed pieces.
    Adjusted,
    /// Reserved for an order.
    Reserved,
    /// A reservation was released.
    Released,
    /// Reserved pieces were shipped.
    Deducted,
    /// A customer sent pieces back.
    Returned,
    /// Pieces that came back cannot be sold any more.
    WrittenOff,
}

impl MovementKind {
    /// The value of the `kind` column.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::Adjusted => "adjusted",
            Self::Reserved => "reserved",
            Self::Released => "released",
            Self::Deducted => "deducted",
            Self::Returned => "returned",
            Self::WrittenOff => "written_off",
        }
    }
}

/// One movement of a SKU in a warehouse, not yet stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Movement {
    pub(crate) sku: Sku,
    pub(crate) kind: MovementKind,
    pub(crate) on_hand_delta: i64,
    pub(crate) reserved_delta: i64,
    /// The balance after the movement.
    pub(crate) after: WarehouseStock,
    /// The order that caused it; none for a change made over HTTP.
    pub(crate) order: Option<OrderId>,
}

/// A stored movement, with its id, actor and time.
#[derive(Debug, Clone)]
pub(crate) struct LedgerEntry {
    /// Later movements of a SKU have larger ids.
    pub(crate) id: i64,
    pub(crate) warehouse: WarehouseId,
    /// A [`MovementKind`] as stored.
    pub(crate) kind: String,
    pub(crate) on_hand_delta: i64,
    pub(crate) reserved_delta: i64,
    pub(crate) on_hand_after: i64,
    pub(crate) reserved_after: i64,
    pub(crate) order: Option<OrderId>,
    pub(crate) reason: Option<String>,
    /// The subject of a token, or the service whose event caused the movement.
    pub(crate) actor: String,
    pub(crate) at: DateTime<Utc>,
}
