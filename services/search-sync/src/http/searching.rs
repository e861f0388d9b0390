//! Searching on threads that may block: so many at a time, and none waited for longer than its answer is worth.

use std::{num::NonZero, sync::Arc, thread::available_parallelism, time::Duration};

use problem::{FieldError, Problem};
use tokio::{sync::Semaphore, time::timeout};

use super::no_index;
use crate::{
    index::{Index, SearchError},
    tail::Live,
};

/// How long a search may take, waiting for its turn included.
const DEADLINE: Duration = Duration::from_secs(3);

/// How many searches run at once for each processor.
const PER_PROCESSOR: usize = 2;

/// The threads that search. Clones share them.
#[derive(Debug, Clone)]
pub struct Searching {
    live: Live,
    turns: Arc<Semaphore>,
}

impl Searching {
    /// Searches in `live`.
    pub fn new(live: Live) -> Self {
        let processors = available_parallelism().map_or(1, NonZero::get);
        Self { live, turns: Arc::new(Semaphore::new(processors * PER_PROCESSOR)) }
    }

    /// Runs `search` over the index in use. 503 where there is none yet, or where too many search at once.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        search: impl FnOnce(&Index) -> Result<T, SearchError> + Send + 'static,
    ) -> Result<T, Problem> {
        let turns = self.turns.clone();
        let live = self.live.clone();
        let searched = timeout(DEADLINE, async {
            // Never closed, so the turn is always had.
            let turn =
                turns.acquire_owned().await.map_err(|error| Problem::internal_from(&error))?;
            let index = live.index().ok_or_else(no_index)?;
            let searched = tokio::task::spawn_blocking(move || {
                // Kept until the thread is done, also where nobody waits for it any more.
                let _turn = turn;
                search(&index)
            });
            searched.await.map_err(|error| Problem::internal_from(&error))?.map_err(failed)
        });
        searched.await.unwrap_or_else(|_| {
            Err(Problem::unavailable("search_busy", Duration::from_secs(1))
                .detail("There are too many searches at the moment."))
        })
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is named in `map_err`")]
fn failed(error: SearchError) -> Problem {
    match error {
        SearchError::Cursor => {
            Problem::validation(vec![FieldError::new("cursor", "invalid", error.to_string())])
        }
        SearchError::Decode(_) | SearchError::Index(_) => Problem::internal_from(&error),
    }
}
