//! Wakes the refund worker of this process.

use std::sync::Arc;

use tokio::sync::Notify;

/// Clones share the same state.
#[derive(Debug, Clone, Default)]
pub(crate) struct RefundWaker(Arc<Notify>);

impl RefundWaker {
    /// Wakes the worker. Call it after the commit that requested a refund.
    pub(crate) fn wake(&self) {
        self.0.notify_one();
    }

    /// Returns after a call of [`wake`](Self::wake), also if that came before.
    pub(crate) async fn woken(&self) {
        self.0.notified().await;
    }
}
