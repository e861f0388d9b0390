//! `order.return_received.v1`: takes back the pieces of a return.

use std::collections::BTreeMap;

use contracts::order::{OrderReturnReceivedV1, ParcelLine};
use messaging::{Batch, Failure, Handler, Transaction};
use vocabulary::Sku;

use crate::{
    app::{ReceiveReturnCommand, receive_returns},
    domain::LowStock,
};

#[derive(Debug, Clone, Copy)]
pub(crate) struct ReceiveReturn(pub(crate) LowStock);

impl Handler for ReceiveReturn {
    type Event = OrderReturnReceivedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<OrderReturnReceivedV1>,
    ) -> Result<(), Failure> {
        let commands = batch.delivered().iter().map(|delivery| ReceiveReturnCommand {
            order: delivery.event.order_id,
            id: delivery.event.return_id,
            warehouse: delivery.event.warehouse_id,
            restocked: pieces(&delivery.event.restocked),
            written_off: pieces(&delivery.event.written_off),
            cause: delivery.cause,
        });
        let commands: Vec<ReceiveReturnCommand> = commands.collect();
        for (index, error) in receive_returns(tx, self.0, &commands).await? {
            batch.fail(index, Failure::reject("unknown_sku", error));
        }
        Ok(())
    }
}

/// Adds up the lines with the same SKU.
fn pieces(lines: &[ParcelLine]) -> Vec<(Sku, i64)> {
    let mut pieces: BTreeMap<&Sku, i64> = BTreeMap::new();
    for line in lines {
        *pieces.entry(&line.sku).or_default() += i64::from(line.quantity.get());
    }
    pieces.into_iter().map(|(sku, quantity)| (sku.clone(), quantity)).collect()
}
