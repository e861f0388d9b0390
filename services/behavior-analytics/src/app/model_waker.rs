//! Wakes the model updater when this process has committed something for it.

use std::sync::Arc;

use messaging::Transaction;
use tokio::sync::Notify;

/// Wakes the model updater. Clones wake the same one.
#[derive(Debug, Clone, Default)]
pub(crate) struct ModelWaker(Arc<Notify>);

impl ModelWaker {
    /// Wakes the updater after `tx` has committed.
    pub(crate) fn wake_after_commit(&self, tx: &mut Transaction) {
        let notify = Arc::clone(&self.0);
        tx.after_commit(move || notify.notify_one());
    }

    pub(crate) fn wake(&self) {
        self.0.notify_one();
    }

    /// Waits for a wake-up. Returns at once if there was one since the last wait.
    pub(crate) async fn woken(&self) {
        self.0.notified().await;
    }
}
