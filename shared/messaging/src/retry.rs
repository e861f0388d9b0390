//! Retries with exponential backoff.
//!
//! Not the crate `backon`: the loops here mix retries with shutdown, database bookkeeping and jitter in both directions.

use std::time::Duration;

use rand::Rng;
use tokio::time::{Instant, sleep};

use crate::failure::{Failure, FailureKind};

const INITIAL_DELAY: Duration = Duration::from_millis(100);

/// The longest delay between two attempts at the same event.
const MAX_EVENT_DELAY: Duration = Duration::from_mins(10);

/// The longest delay between two attempts to reach a server.
const MAX_CONNECT_DELAY: Duration = Duration::from_secs(2);

/// How often an event is tried before it becomes a dead letter: with these delays, over about three and a half minutes.
const MAX_ATTEMPTS: u32 = 12;

/// After this time of normal operation, a failure starts a new series of attempts instead of lengthening the delay.
const STABLE_AFTER: Duration = Duration::from_secs(2);

/// How often a failing event is tried, and how long it waits in between.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RetryPolicy {
    pub(crate) max_attempts: u32,
    /// The delay after the given number of failed attempts (from 1).
    pub(crate) delay: fn(u32) -> Duration,
}

/// The retry policy of all events.
pub(crate) const RETRY_POLICY: RetryPolicy =
    RetryPolicy { max_attempts: MAX_ATTEMPTS, delay: event_delay };

/// The delay after `attempt` failed attempts at an event. It doubles each time; jitter spreads events that failed together.
fn event_delay(attempt: u32) -> Duration {
    jittered(INITIAL_DELAY, attempt, MAX_EVENT_DELAY)
}

/// The delay after `attempt` failed attempts (from 1) to reach a server.
pub(crate) fn backoff(attempt: u32) -> Duration {
    jittered(INITIAL_DELAY, attempt, MAX_CONNECT_DELAY)
}

/// The number of consecutive failures, given that the attempt that `began` then failed after `failures` others.
pub(crate) fn consecutive_failures(failures: u32, began: Instant) -> u32 {
    if began.elapsed() > STABLE_AFTER { 1 } else { failures + 1 }
}

/// Repeats `attempt` until it succeeds, is rejected, or has failed `times` times. The inner result is that of the last attempt;
/// an outer error ends the loop at once.
pub(crate) async fn retry_up_to<E, F>(
    times: u32,
    mut attempt: impl FnMut() -> F,
) -> Result<Result<(), Failure>, E>
where
    F: Future<Output = Result<Result<(), Failure>, E>>,
{
    let mut number = 1;
    loop {
        match attempt().await? {
            Err(failure) if number < times && !matches!(failure.kind, FailureKind::Reject(_)) => {
                sleep(backoff(number)).await;
                number += 1;
            }
            ended => return Ok(ended),
        }
    }
}

fn jittered(initial: Duration, attempt: u32, longest: Duration) -> Duration {
    let doubled = initial
        .saturating_mul(1_u32.checked_shl(attempt.saturating_sub(1).min(31)).unwrap_or(u32::MAX));
    doubled.min(longest).mul_f64(rand::rng().random_range(0.75..1.25))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::event_delay;

    #[test]
    fn delays_grow_up_to_a_maximum() {
        assert!(event_delay(1) < Duration::from_millis(126));
        assert!(event_delay(5) > event_delay(1) * 4);
        assert!(event_delay(1000) <= Duration::from_secs(750));
    }
}
