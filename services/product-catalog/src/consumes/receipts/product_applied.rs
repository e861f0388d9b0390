//! `product.applied.v1`: a service has applied versions of products.

use contracts::receipts::ProductAppliedV1;
use messaging::{Batch, Failure, Handler, Transaction};

use super::fail_foreign;
use crate::{
    app::{ChangeWatchers, record_receipts},
    domain::NewReceipt,
};

pub(crate) struct RecordApplied(pub(crate) ChangeWatchers);

impl Handler for RecordApplied {
    type Event = ProductAppliedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<ProductAppliedV1>,
    ) -> Result<(), Failure> {
        if fail_foreign(batch, |receipt| &receipt.service) {
            return Ok(());
        }
        let mut receipts = Vec::new();
        for delivery in batch.delivered() {
            let ProductAppliedV1 { service, applied, applied_at, .. } = &delivery.event;
            receipts.extend(applied.iter().map(|applied| NewReceipt {
                service,
                product: applied.product_id,
                version: applied.version,
                at: *applied_at,
                failure: None,
            }));
        }
        Ok(record_receipts(tx, &receipts, &self.0).await?)
    }
}
