//! Wakes the importer of this process.

use std::sync::Arc;

use tokio::sync::Notify;

/// Wakes the importer when there is a new import. Clones wake the same importer.
#[derive(Debug, Clone, Default)]
pub(crate) struct ImporterWaker(Arc<Notify>);

impl ImporterWaker {
    /// Wakes the importer, or lets its next wait return at once.
    pub(crate) fn wake(&self) {
        self.0.notify_one();
    }

    /// Waits for [`wake`](Self::wake).
    pub(crate) async fn woken(&self) {
        self.0.notified().await;
    }
}
