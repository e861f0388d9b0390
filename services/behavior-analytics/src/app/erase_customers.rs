//! Erases customers: their ids are also their visitor ids.

use chrono::{DateTime, Utc};
use envelope::trace::TraceContext;
use messaging::{Error, Transaction};
use vocabulary::CustomerId;

use super::model_waker::ModelWaker;
use crate::{
    domain::identity::VisitorId, publishes::erasure_completed::erasure_completed, storage::erasures,
};

/// Deletes what is stored about `customers`, each with the trace of its request, and reports it. Later events of them are dropped. The model
/// forgets them as soon as it reads the erasure, within a second.
pub(crate) async fn erase_customers(
    tx: &mut Transaction,
    waker: &ModelWaker,
    customers: &[(CustomerId, Option<TraceContext>)],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    for (customer, cause) in customers {
        erasures::erase(tx, &VisitorId::of(*customer), now).await?;
        tx.emit_caused_by(*cause, &erasure_completed(*customer, now))?;
    }
    waker.wake_after_commit(tx);
    Ok(())
}
