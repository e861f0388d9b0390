//! Wakes the worker that sends requests to the payment provider.

use std::sync::Arc;

use tokio::sync::Notify;

/// Clones share the same state.
#[derive(Debug, Clone, Default)]
pub(crate) struct ProviderWaker(Arc<Notify>);

impl ProviderWaker {
    /// Wakes the worker. Call it after the commit that wrote a request.
    pub(crate) fn wake(&self) {
        self.0.notify_one();
    }

    /// Returns after a call of [`wake`](Self::wake), also if that came before.
    pub(crate) async fn woken(&self) {
        self.0.notified().await;
    }
}
