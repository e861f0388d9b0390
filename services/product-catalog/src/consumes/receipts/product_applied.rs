use contracts::receipts::ProductAppliedV1;
use messaging::{Batch, Failure, Handler, Transaction};

use crate::following::Followers;
use crate::storage::receipts::{self, Receipts};

/// Notes what has taken effect somewhere, and wakes who waits for it.
pub(crate) struct NoteApplied(pub(crate) Followers);

impl Handler for NoteApplied {
    type Event = ProductAppliedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<ProductAppliedV1>,
    ) -> Result<(), Failure> {
        let mut noted = Receipts::default();
        let mut products = Vec::new();
        for delivered in batch.delivered() {
            let event = &delivered.event;
            for applied in &event.applied {
                noted.push(&event.service, *applied, event.applied_at, None);
                products.push(applied.product_id);
            }
        }
        receipts::insert(tx, &noted).await?;
        let followers = self.0.clone();
        tx.after_commit(move || followers.wake(&products));
        Ok(())
    }
}
