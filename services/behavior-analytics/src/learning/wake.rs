//! How what writes wakes what learns, within one process.

use std::sync::Arc;

use messaging::Transaction;
use tokio::sync::Notify;

/// Wakes the learner. Clones wake the same one.
#[derive(Debug, Clone, Default)]
pub struct Wake(Arc<Notify>);

impl Wake {
    /// Wakes the learner once `tx` has committed.
    pub fn after(&self, tx: &mut Transaction) {
        let wake = Arc::clone(&self.0);
        tx.after_commit(move || wake.notify_one());
    }

    /// Wakes the learner now.
    pub(super) fn call(&self) {
        self.0.notify_one();
    }

    /// Waits to be woken. What happened since the last wait wakes at once.
    pub(super) async fn called(&self) {
        self.0.notified().await;
    }
}
