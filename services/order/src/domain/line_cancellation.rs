//! Pieces of a line that were cancelled before the order was shipped.

use chrono::{DateTime, Utc};
use vocabulary::{OrderId, RefundId, Sku};

use super::parcel::CancelledPieces;

/// Pieces that were taken out of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LineCancellation {
    /// Also the id of the refund.
    pub(crate) id: RefundId,
    pub(crate) order: OrderId,
    pub(crate) sku: Sku,
    pub(crate) pieces: Vec<CancelledPieces>,
    pub(crate) cancelled_at: DateTime<Utc>,
}

impl LineCancellation {
    /// How many pieces.
    pub(crate) fn quantity(&self) -> u32 {
        self.pieces.iter().map(|pieces| pieces.quantity.get()).sum()
    }
}
