//! `stock.rejected.v1`

use contracts::inventory::{StockRejectedV1, StockRejection};
use messaging::{Batch, Failure, Handler, Transaction};
use runtime::clock;

use super::{decide_each, lock_orders};
use crate::{
    app::order_process::OrderProcess,
    domain::{self, EndReason, Shortage},
};

/// Rejects the order, with the shortages as the reason.
pub(crate) struct RejectOrder(pub(crate) OrderProcess);

impl Handler for RejectOrder {
    type Event = StockRejectedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<StockRejectedV1>,
    ) -> Result<(), Failure> {
        let Some(mut locked) = lock_orders(tx, batch, |event| event.order_id).await? else {
            return Ok(());
        };
        let now = clock::now();
        let transitions = decide_each(
            batch,
            &mut locked,
            |event| event.order_id,
            |order, event| domain::reject(order, end_reason(event), event.rejected_at, now),
        );
        Ok(self.0.record(tx, &transitions, now).await?)
    }
}

fn end_reason(event: &StockRejectedV1) -> EndReason {
    let text = match event.reason {
        StockRejection::InsufficientStock => "There is not enough stock.",
        StockRejection::UnknownSku => "The shop does not know a SKU of the order.",
    };
    let shortages = event.shortages.iter().map(|shortage| Shortage {
        sku: shortage.sku.clone(),
        requested: shortage.requested,
        available: shortage.available,
    });
    EndReason { shortages: shortages.collect(), ..EndReason::new(event.reason.code(), text) }
}
