//! Runs searches on blocking threads, with a limit on concurrency and time.

use std::{num::NonZero, sync::Arc, thread::available_parallelism, time::Duration};

use tokio::{
    sync::{AcquireError, Semaphore},
    task::{JoinError, spawn_blocking},
    time::timeout,
};

use crate::index::{Index, LiveIndex, SearchError};

/// The limit for one search, including the wait for a free thread.
const SEARCH_TIMEOUT: Duration = Duration::from_secs(3);

/// How many searches run at once per processor.
const SEARCHES_PER_PROCESSOR: usize = 2;

/// Runs searches in the index in use. Clones share the limits.
#[derive(Debug, Clone)]
pub(crate) struct SearchPool {
    live: LiveIndex,
    permits: Arc<Semaphore>,
}

/// Why a search did not run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SearchPoolError {
    /// Or the settings are not loaded yet.
    #[error("the index is being built")]
    NoIndex,
    #[error("too many searches are running")]
    Busy,
    #[error(transparent)]
    Search(#[from] SearchError),
    #[error("the search thread ended early")]
    Thread(#[from] JoinError),
    #[error("the search pool is closed")]
    Closed(#[from] AcquireError),
}

impl SearchPool {
    pub(crate) fn new(live: LiveIndex) -> Self {
        let processors = available_parallelism().map_or(1, NonZero::get);
        Self { live, permits: Arc::new(Semaphore::new(processors * SEARCHES_PER_PROCESSOR)) }
    }

    /// Runs `search`. Fails if no thread becomes free in time.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        search: impl FnOnce(&Index) -> Result<T, SearchError> + Send + 'static,
    ) -> Result<T, SearchPoolError> {
        let result = timeout(SEARCH_TIMEOUT, async {
            let permit = self.permits.clone().acquire_owned().await?;
            let index = self.live.index().ok_or(SearchPoolError::NoIndex)?;
            let result = spawn_blocking(move || {
                // A timeout does not stop the thread, so the thread keeps the permit until it ends.
                let _permit = permit;
                search(&index)
            });
            Ok(result.await??)
        });
        result.await.unwrap_or(Err(SearchPoolError::Busy))
    }
}
