//! Waiting for states. This is the one place of the project where a test may sleep.

use std::fmt;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};

/// The first pause between two looks. Each pause is half as long again as the one before.
const SHORTEST_PAUSE: Duration = Duration::from_millis(2);

/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// A state did not come before its deadline.
#[derive(Debug, thiserror::Error)]
#[error("waited {} ms in vain until {what}; last seen: {last}", deadline.as_millis())]
pub struct WaitError {
    /// What was waited for.
    pub what: String,
    /// How long.
    pub deadline: Duration,
    /// What the last look saw.
    pub last: String,
}

/// Looks again and again until `check` answers `Ok`, and gives what it found.
///
/// `check` answers `Err(status)` as long as the state has not come; the last status is part of the error. `what` completes
/// the sentence "waited until …". It may use what is around it; what it changes must be in a `Cell` or an atomic.
///
/// ```
/// # use std::time::Duration;
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), testkit::WaitError> {
/// # async fn count_rows() -> u64 { 0 }
/// testkit::wait_for("the outbox is empty", Duration::from_secs(5), async || {
///     let rows = count_rows().await;
///     if rows == 0 { Ok(()) } else { Err(format!("{rows} rows")) }
/// })
/// .await?;
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// When the deadline passes; a look that hangs is abandoned then.
pub async fn wait_for<T, S, F>(
    what: &str,
    deadline: Duration,
    mut check: impl FnMut() -> F,
) -> Result<T, WaitError>
where
    S: fmt::Display,
    F: Future<Output = Result<T, S>>,
{
    let end = Instant::now() + deadline;
    let mut pause = SHORTEST_PAUSE;
    let mut last = String::from("nothing yet, the first look did not return");
    loop {
        match timeout_at(end, check()).await {
            Ok(Ok(found)) => return Ok(found),
            Ok(Err(status)) => last = status.to_string(),
            Err(_elapsed) => last.push_str(" (the last look did not return)"),
        }
        if Instant::now() >= end {
            return Err(WaitError { what: what.to_owned(), deadline, last });
        }
        sleep_until((Instant::now() + pause).min(end)).await;
        pause = (pause * 3 / 2).min(LONGEST_PAUSE);
    }
}

/// Looks again and again until `check` is true.
///
/// Prefer [`wait_for`], whose error tells what was seen instead.
///
/// # Errors
///
/// When the deadline passes.
pub async fn wait_until<F>(
    what: &str,
    deadline: Duration,
    mut check: impl FnMut() -> F,
) -> Result<(), WaitError>
where
    F: Future<Output = bool>,
{
    let look = || {
        let look = check();
        async move { if look.await { Ok(()) } else { Err("not so") } }
    };
    wait_for(what, deadline, look).await
}
