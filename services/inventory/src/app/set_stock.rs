//! Sets the pieces on hand, for one level or for many.

use messaging::Transaction;
use vocabulary::{Sku, WarehouseId};

use super::write_stock::{StockChangeError, write_for_request};
use crate::domain::{LowStock, Stock, StockRefusal, ThresholdChange};

pub(crate) struct SetStockCommand {
    pub(crate) sku: Sku,
    pub(crate) warehouse: WarehouseId,
    pub(crate) on_hand: i64,
    pub(crate) threshold: ThresholdChange,
}

/// Sets one level of the locked `stock`.
pub(crate) async fn set_stock(
    tx: &mut Transaction,
    low: LowStock,
    mut stock: Stock,
    command: &SetStockCommand,
    actor: &str,
) -> Result<(), StockChangeError> {
    stock.set(&command.sku, command.warehouse, command.on_hand)?;
    stock.set_threshold(&command.sku, command.threshold)?;
    Ok(write_for_request(tx, low, stock, actor, None).await?)
}

/// Sets many levels of the locked `stock`, and returns for each whether it changed. A refused command does
/// not affect the others.
pub(crate) async fn set_stock_batch(
    tx: &mut Transaction,
    low: LowStock,
    mut stock: Stock,
    commands: impl IntoIterator<Item = &SetStockCommand>,
    actor: &str,
) -> Result<Vec<Result<bool, StockRefusal>>, messaging::Error> {
    let results = commands
        .into_iter()
        .map(|command| stock.set(&command.sku, command.warehouse, command.on_hand))
        .collect();
    write_for_request(tx, low, stock, actor, None).await?;
    Ok(results)
}
