//! `stock.rejected.v1`: the order is rejected, with what was missing.

use contracts::inventory::{StockRejectedV1, StockRejection};
use messaging::{Batch, Failure, Handler, Transaction};
use runtime::clock;

use super::{decide, lock};
use crate::{
    domain::{self, Reason, Shortage},
    process::Process,
};

/// Rejects orders of which inventory does not have everything.
pub(crate) struct Reject(pub(crate) Process);

impl Handler for Reject {
    type Event = StockRejectedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<StockRejectedV1>,
    ) -> Result<(), Failure> {
        let Some(mut locked) = lock(tx, batch, |event| event.order_id).await? else {
            return Ok(());
        };
        let now = clock::now();
        let changes = decide(
            batch,
            &mut locked,
            |event| event.order_id,
            |order, event| domain::stock_rejected(order, reason(event), event.rejected_at, now),
        );
        Ok(self.0.write(tx, &changes, now).await?)
    }
}

fn reason(event: &StockRejectedV1) -> Reason {
    let text = match event.reason {
        StockRejection::InsufficientStock => "There is not enough of it in stock.",
        StockRejection::UnknownSku => "The shop does not know a SKU of the order.",
    };
    let shortages = event.shortages.iter().map(|shortage| Shortage {
        sku: shortage.sku.clone(),
        requested: shortage.requested,
        available: shortage.available,
    });
    Reason { shortages: shortages.collect(), ..Reason::new(event.reason.code(), text) }
}
