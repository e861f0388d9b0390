//! Waiting for a state. This is the only place of the project where a test may sleep.

use std::{fmt, time::Duration};

use tokio::time::{Instant, sleep_until, timeout_at};

/// The first pause between two checks; each further pause is half as long again.
const MIN_PAUSE: Duration = Duration::from_millis(2);

const MAX_PAUSE: Duration = Duration::from_millis(100);

/// A state was not reached before the timeout.
#[derive(Debug, thiserror::Error)]
#[error("timed out after {} ms waiting until {what}; last status: {last}", timeout.as_millis())]
pub struct WaitError {
    /// The expected state.
    pub what: String,
    pub timeout: Duration,
    /// The status of the last check.
    pub last: String,
}

/// Repeats `check` until it returns `Ok`, and returns that value.
///
/// `check` returns `Err(status)` while the state is not reached; the error contains the last status. `what` completes the
/// sentence "waiting until …". `check` may capture variables, but can change only a `Cell` or an atomic. A check that hangs is
/// cancelled at the timeout.
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
pub async fn wait_for<T, S, F>(
    what: &str,
    timeout: Duration,
    check: impl FnMut() -> F,
) -> Result<T, WaitError>
where
    S: fmt::Display,
    F: Future<Output = Result<T, S>>,
{
    wait_with_pauses(what, timeout, (MIN_PAUSE, MAX_PAUSE), check).await
}

/// Like [`wait_for`], with other pauses: the shortest, which is the first, and the longest.
pub(crate) async fn wait_with_pauses<T, S, F>(
    what: &str,
    timeout: Duration,
    (mut pause, max_pause): (Duration, Duration),
    mut check: impl FnMut() -> F,
) -> Result<T, WaitError>
where
    S: fmt::Display,
    F: Future<Output = Result<T, S>>,
{
    let deadline = Instant::now() + timeout;
    let mut last = String::from("none, the first check did not return");
    loop {
        match timeout_at(deadline, check()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(status)) => last = status.to_string(),
            Err(_elapsed) => last.push_str(" (the last check did not return)"),
        }
        if Instant::now() >= deadline {
            return Err(WaitError { what: what.to_owned(), timeout, last });
        }
        sleep_until((Instant::now() + pause).min(deadline)).await;
        pause = (pause * 3 / 2).min(max_pause);
    }
}

/// Repeats `check` until it returns true.
///
/// Prefer [`wait_for`], whose error contains the last status.
pub async fn wait_until<F>(
    what: &str,
    timeout: Duration,
    mut check: impl FnMut() -> F,
) -> Result<(), WaitError>
where
    F: Future<Output = bool>,
{
    let check = || {
        let check = check();
        async move { if check.await { Ok(()) } else { Err("false") } }
    };
    wait_for(what, timeout, check).await
}
