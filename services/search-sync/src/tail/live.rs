//! What the rest of the process sees of the index: the one in use, and how far it is.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use chrono::{DateTime, Utc};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, timeout_at},
};

use crate::index::Index;

/// Wakes the tail of this process. Clones wake the same.
#[derive(Debug, Clone, Default)]
pub struct Wake(Arc<Notify>);

impl Wake {
    /// Says that documents have changed.
    pub fn wake(&self) {
        self.0.notify_one();
    }

    pub(super) async fn woken(&self) {
        self.0.notified().await;
    }
}

/// How far the index in use is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// The number of the last change that searches see.
    pub applied: i64,
    /// When the last commit was, if there was one since the start.
    pub committed_at: Option<DateTime<Utc>>,
}

/// The index in use. Clones share it.
#[derive(Debug, Clone)]
pub struct Live(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    index: ArcSwapOption<Index>,
    progress: watch::Sender<Progress>,
}

impl Default for Live {
    fn default() -> Self {
        let progress = watch::Sender::new(Progress::default());
        Self(Arc::new(Inner { index: ArcSwapOption::empty(), progress }))
    }
}

impl Live {
    /// The index; `None` while the first one is being built.
    pub fn index(&self) -> Option<Arc<Index>> {
        self.0.index.load_full()
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        *self.0.progress.borrow()
    }

    /// Waits until `seen` is true of what the index has, and looks whenever that may have changed; answers whether it came
    /// true before `deadline`.
    pub async fn wait_until<F, E>(
        &self,
        deadline: Instant,
        mut seen: impl FnMut(Progress) -> F,
    ) -> Result<bool, E>
    where
        F: Future<Output = Result<bool, E>>,
    {
        let mut progress = self.0.progress.subscribe();
        loop {
            let now = *progress.borrow_and_update();
            if seen(now).await? {
                return Ok(true);
            }
            if !matches!(timeout_at(deadline, progress.changed()).await, Ok(Ok(()))) {
                return Ok(false);
            }
        }
    }

    /// Puts `index` in use.
    pub(super) fn replace(&self, index: Index) {
        self.0.index.store(Some(Arc::new(index)));
    }

    /// Tells who waits how far the index is.
    pub(super) fn advanced(&self, applied: i64, committed_at: Option<DateTime<Utc>>) {
        self.0.progress.send_modify(|progress| {
            progress.applied = applied;
            progress.committed_at = committed_at.or(progress.committed_at);
        });
    }
}
