use contracts::receipts::ProductFailedV1;
use messaging::{Batch, Failure, Handler, Transaction};

use crate::following::Followers;
use crate::storage::receipts::{self, Receipts};

/// Notes what will not take effect somewhere, and wakes who waits for it.
pub(crate) struct NoteFailed(pub(crate) Followers);

impl Handler for NoteFailed {
    type Event = ProductFailedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<ProductFailedV1>,
    ) -> Result<(), Failure> {
        let mut noted = Receipts::default();
        let mut products = Vec::new();
        for delivered in batch.delivered() {
            let event = &delivered.event;
            noted.push(&event.service, event.failed, event.failed_at, Some(&event.reason));
            products.push(event.failed.product_id);
        }
        receipts::insert(tx, &noted).await?;
        let followers = self.0.clone();
        tx.after_commit(move || followers.wake(&products));
        Ok(())
    }
}
