//! `erasure.completed.v1`

use chrono::{DateTime, Utc};
use contracts::behavior::ErasureCompletedV1;
use messaging::{Batch, Failure, Handler, Transaction};
use vocabulary::CustomerId;

use crate::{names::BEHAVIOR_ANALYTICS, storage::customer_erasures};

/// Records that behavior-analytics has deleted what it stored about a customer.
pub(crate) struct RecordErasure;

impl Handler for RecordErasure {
    type Event = ErasureCompletedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<ErasureCompletedV1>,
    ) -> Result<(), Failure> {
        let events = batch.delivered().iter().map(|delivered| &delivered.event);
        let completed: Vec<(CustomerId, DateTime<Utc>)> =
            events.map(|event| (event.customer_id, event.completed_at)).collect();
        Ok(customer_erasures::complete(tx, BEHAVIOR_ANALYTICS, &completed).await?)
    }
}
