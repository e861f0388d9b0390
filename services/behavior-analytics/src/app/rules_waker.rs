//! Wakes the recount when this process has changed the rules.

use std::sync::Arc;

use tokio::sync::Notify;

/// Wakes the recount. Clones wake the same one.
#[derive(Debug, Clone, Default)]
pub(crate) struct RulesWaker(Arc<Notify>);

impl RulesWaker {
    pub(crate) fn wake(&self) {
        self.0.notify_one();
    }

    /// Waits for a wake-up. Returns at once if there was one since the last wait.
    pub(crate) async fn woken(&self) {
        self.0.notified().await;
    }
}
