//! Wakes the settings loader when synonyms or rules have changed.

use std::sync::Arc;

use tokio::sync::Notify;

/// Wakes the settings loader of this process. Clones wake the same one.
#[derive(Debug, Clone, Default)]
pub(crate) struct SettingsWaker(Arc<Notify>);

impl SettingsWaker {
    /// Call it after the commit of a change.
    pub(crate) fn wake(&self) {
        self.0.notify_one();
    }

    pub(crate) async fn woken(&self) {
        self.0.notified().await;
    }
}
