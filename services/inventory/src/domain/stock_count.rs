//! Counts of stock: how many pieces of a SKU there are.

use vocabulary::{ImportId, Sku};

/// A count that an import brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StockCount {
    pub(crate) sku: Sku,
    /// Pieces on hand, reserved ones included.
    pub(crate) quantity: i64,
    /// The reason in the ledger.
    pub(crate) import: ImportId,
}
