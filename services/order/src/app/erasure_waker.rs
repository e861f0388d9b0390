//! Wakes the erasure worker of this process.

use std::sync::Arc;

use messaging::Transaction;
use tokio::sync::Notify;

/// Clones share the same state.
#[derive(Debug, Clone, Default)]
pub(crate) struct ErasureWaker(Arc<Notify>);

impl ErasureWaker {
    /// Wakes the worker after `tx` has committed.
    pub(super) fn wake_after_commit(&self, tx: &mut Transaction) {
        let notify = Arc::clone(&self.0);
        tx.after_commit(move || notify.notify_one());
    }

    /// Returns after a wake-up, also if that came before.
    pub(crate) async fn woken(&self) {
        self.0.notified().await;
    }
}
