//! The index in use, shared by the indexer and the readers.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use chrono::{DateTime, Utc};
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

use super::open::Index;

/// How far the index in use has followed the projection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct IndexProgress {
    /// The number of the last change that searches see.
    pub(crate) applied: i64,
    /// The time of the last commit since the process started.
    pub(crate) committed_at: Option<DateTime<Utc>>,
}

/// The index in use. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct LiveIndex(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    index: ArcSwapOption<Index>,
    progress: watch::Sender<IndexProgress>,
}

impl Default for LiveIndex {
    fn default() -> Self {
        let progress = watch::Sender::new(IndexProgress::default());
        Self(Arc::new(Inner { index: ArcSwapOption::empty(), progress }))
    }
}

impl LiveIndex {
    /// The index; `None` while the first one is being built.
    pub(crate) fn index(&self) -> Option<Arc<Index>> {
        self.0.index.load_full()
    }

    pub(crate) fn progress(&self) -> IndexProgress {
        *self.0.progress.borrow()
    }

    /// Waits until `condition` is true, checking it after every commit. Returns false after `deadline`.
    pub(crate) async fn wait_until<F, E>(
        &self,
        deadline: Instant,
        mut condition: impl FnMut(IndexProgress) -> F,
    ) -> Result<bool, E>
    where
        F: Future<Output = Result<bool, E>>,
    {
        let mut progress = self.0.progress.subscribe();
        loop {
            let now = *progress.borrow_and_update();
            if condition(now).await? {
                return Ok(true);
            }
            if !matches!(timeout_at(deadline, progress.changed()).await, Ok(Ok(()))) {
                return Ok(false);
            }
        }
    }

    /// Replaces the index in use.
    pub(crate) fn replace(&self, index: Index) {
        self.0.index.store(Some(Arc::new(index)));
    }

    /// Records a commit and wakes the waiting searches.
    pub(crate) fn advance(&self, applied: i64, committed_at: Option<DateTime<Utc>>) {
        self.0.progress.send_modify(|progress| {
            progress.applied = applied;
            progress.committed_at = committed_at.or(progress.committed_at);
        });
    }
}
