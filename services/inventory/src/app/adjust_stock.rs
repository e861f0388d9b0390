//! Adds pieces to a level, or removes them.

use messaging::Transaction;
use vocabulary::{Sku, WarehouseId};

use super::write_stock::{StockChangeError, write_for_request};
use crate::domain::{LowStock, Stock};

pub(crate) struct AdjustStockCommand {
    pub(crate) sku: Sku,
    pub(crate) warehouse: WarehouseId,
    /// Negative to remove pieces.
    pub(crate) delta: i64,
    /// Written to the ledger.
    pub(crate) reason: String,
}

/// Adjusts one level of the locked `stock`.
pub(crate) async fn adjust_stock(
    tx: &mut Transaction,
    low: LowStock,
    mut stock: Stock,
    command: &AdjustStockCommand,
    actor: &str,
) -> Result<(), StockChangeError> {
    stock.adjust(&command.sku, command.warehouse, command.delta)?;
    Ok(write_for_request(tx, low, stock, actor, Some(&command.reason)).await?)
}
