//! Publishes the receipts of products that searches see.

use envelope::trace::TraceContext;
use messaging::Outbox;
use runtime::clock;

use crate::{
    publishes::{ReceiptKey, product_applied},
    storage::receipts,
};

/// How many versions one receipt contains.
const BATCH_SIZE: i64 = 500;

/// Publishes the pending receipts of products whose last change is at most `applied`, or is an edit and at most
/// `edits_applied`. Of several processes, one publishes each receipt.
pub(crate) async fn publish_receipts(
    outbox: &Outbox,
    key: &ReceiptKey,
    applied: i64,
    edits_applied: i64,
) -> Result<(), messaging::Error> {
    if !receipts::exists(&mut *outbox.pool().acquire().await?).await? {
        return Ok(());
    }
    loop {
        let mut tx = outbox.begin().await?;
        let pending = receipts::take(&mut tx, applied, edits_applied, BATCH_SIZE).await?;
        let more = i64::try_from(pending.len()).is_ok_and(|taken| taken == BATCH_SIZE);
        // A receipt settles many events; it continues the trace of one of them.
        let cause = pending.iter().find_map(|one| TraceContext::parse(one.traceparent.as_deref()?));
        let versions = pending.iter().map(|one| (one.product_id, one.version));
        let Some(receipt) = product_applied(versions, key, clock::now()) else { break };
        tx.emit_caused_by(cause, &receipt)?;
        tx.commit().await?;
        if !more {
            break;
        }
    }
    Ok(())
}
