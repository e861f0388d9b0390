//! `product.failed.v1`: a service recorded a dead letter instead of applying a version.

use contracts::receipts::ProductFailedV1;
use messaging::{Batch, Failure, Handler, Transaction};

use super::fail_foreign;
use crate::{
    app::{ChangeWatchers, record_receipts},
    domain::NewReceipt,
};

pub(crate) struct RecordFailed(pub(crate) ChangeWatchers);

impl Handler for RecordFailed {
    type Event = ProductFailedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<ProductFailedV1>,
    ) -> Result<(), Failure> {
        if fail_foreign(batch, |receipt| &receipt.service) {
            return Ok(());
        }
        let events = batch.delivered().iter().map(|delivery| &delivery.event);
        let receipts = events.map(|event| NewReceipt {
            service: &event.service,
            product: event.failed.product_id,
            version: event.failed.version,
            at: event.failed_at,
            failure: Some(&event.reason),
        });
        let receipts: Vec<NewReceipt<'_>> = receipts.collect();
        Ok(record_receipts(tx, &receipts, &self.0).await?)
    }
}
