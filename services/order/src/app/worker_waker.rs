//! Wakes a worker of this process.

use std::sync::Arc;

use messaging::Transaction;
use tokio::sync::Notify;

/// Each worker has its own. Clones wake the same worker.
#[derive(Debug, Clone, Default)]
pub(crate) struct WorkerWaker(Arc<Notify>);

impl WorkerWaker {
    /// Wakes the worker. Call it after the commit that wrote something for it.
    pub(crate) fn wake(&self) {
        self.0.notify_one();
    }

    /// Wakes the worker after `tx` has committed.
    pub(super) fn wake_after_commit(&self, tx: &mut Transaction) {
        let waker = self.clone();
        tx.after_commit(move || waker.wake());
    }

    /// Returns after a wake-up, also if that came before.
    pub(crate) async fn woken(&self) {
        self.0.notified().await;
    }
}
