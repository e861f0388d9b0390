//! `stock.counted.v1`: sets the stock of a SKU to the count of an import.

use contracts::catalog::StockCountedV1;
use messaging::{Batch, Failure, Handler, Transaction};

use crate::{
    app::{CountStockCommand, count_stock},
    domain::{LowStock, StockCount, StockRefusal},
};

#[derive(Debug, Clone, Copy)]
pub(crate) struct CountStock(pub(crate) LowStock);

impl Handler for CountStock {
    type Event = StockCountedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<StockCountedV1>,
    ) -> Result<(), Failure> {
        let commands = batch.delivered().iter().map(|delivery| {
            let StockCountedV1 { sku, quantity, import_id, .. } = delivery.event.clone();
            let count = StockCount { sku, quantity, import: import_id };
            CountStockCommand { count, cause: delivery.cause }
        });
        let commands: Vec<CountStockCommand> = commands.collect();
        for (index, refusal) in count_stock(tx, self.0, &commands).await? {
            batch.fail(index, Failure::reject(code_of(refusal), refusal));
        }
        Ok(())
    }
}

const fn code_of(refusal: StockRefusal) -> &'static str {
    match refusal {
        StockRefusal::BelowReserved { .. } => "below_reserved",
        StockRefusal::UnknownSku | StockRefusal::Insufficient { .. } | StockRefusal::TooMany => {
            "count_refused"
        }
    }
}
