//! Wakes the indexer when the projection has changed.

use std::sync::Arc;

use tokio::sync::Notify;

/// Wakes the indexer of this process. Clones wake the same one.
#[derive(Debug, Clone, Default)]
pub(crate) struct IndexerWaker(Arc<Notify>);

impl IndexerWaker {
    /// Call it after the commit of a change.
    pub(crate) fn wake(&self) {
        self.0.notify_one();
    }

    pub(crate) async fn woken(&self) {
        self.0.notified().await;
    }
}
