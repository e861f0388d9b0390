//! Work that a shutdown may interrupt.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::{
    error::{Error, causes},
    retry,
};

/// How long current work may continue after the stop: longer than most batches take, and short enough for a successor.
pub(crate) const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

/// Repeats `work` until it succeeds; `None` if it has not before the grace period ends. `work` gets the number of its failures.
///
/// Its failures are failures of the database, every wait in it has a timeout, and repeating committed work is harmless.
pub(super) async fn retry_until_stopped<T, F>(
    stop: &CancellationToken,
    mut work: impl FnMut(u32) -> F,
) -> Option<T>
where
    F: Future<Output = Result<T, Error>>,
{
    let mut failures = 0;
    loop {
        match with_grace(stop, Box::pin(work(failures))).await? {
            Ok(done) => return Some(done),
            Err(error) => {
                failures += 1;
                let delay = retry::backoff(failures);
                tracing::warn!(causes = ?causes(&error), ?delay, "failed to commit a batch; retrying");
                stop.run_until_cancelled(tokio::time::sleep(delay)).await?;
            }
        }
    }
}

/// Waits for `work`; `None` if it does not end within [`SHUTDOWN_GRACE`] after `stop`.
pub(crate) async fn with_grace<T>(
    stop: &CancellationToken,
    work: impl Future<Output = T>,
) -> Option<T> {
    let expired = async {
        stop.cancelled().await;
        tokio::time::sleep(SHUTDOWN_GRACE).await;
    };
    tokio::select! {
        biased;
        done = work => Some(done),
        () = expired => None,
    }
}
