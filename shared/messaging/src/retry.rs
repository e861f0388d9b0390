//! How long to wait before trying again.

use std::time::Duration;

use rand::Rng;
use tokio::time::{Instant, sleep};

use crate::{Failure, failure::Verdict};

/// The first pause.
const FIRST: Duration = Duration::from_millis(100);

/// The longest pause between two attempts at the same event.
const LONGEST: Duration = Duration::from_mins(10);

/// The longest pause between two attempts to reach a server.
const LONGEST_CONNECT: Duration = Duration::from_secs(2);

/// How often an event is tried before it becomes a dead letter: with the pauses below, about three and a half minutes.
const ATTEMPTS: u32 = 12;

/// How often an event that fails is tried, and how long it rests in between.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// How often it is tried before it becomes a dead letter.
    pub(crate) attempts: u32,
    /// The pause before attempt number so-and-so (from 1).
    pub(crate) pause: fn(u32) -> Duration,
}

/// The patience with every event.
pub(crate) const PATIENCE: Patience = Patience { attempts: ATTEMPTS, pause };

/// The pause before attempt number `attempt` (from 1) at an event: doubled each time, with jitter, so that what failed
/// together does not come back together.
fn pause(attempt: u32) -> Duration {
    jittered(FIRST, attempt, LONGEST)
}

/// The pause before attempt number `attempt` (from 1) to reach a server.
pub(crate) fn backoff(attempt: u32) -> Duration {
    jittered(FIRST, attempt, LONGEST_CONNECT)
}

/// What went well for so long starts afresh when it fails; what fails sooner is tried ever more seldom.
const SOUND: Duration = Duration::from_secs(2);

/// How many attempts in a row have failed, now that the one that `began` then has failed too, after `failed` others.
pub(crate) fn failed_in_a_row(failed: u32, began: Instant) -> u32 {
    if began.elapsed() > SOUND { 1 } else { failed + 1 }
}

/// Repeats `attempt` until it succeeds, is refused for good, or has failed so many `times`. The inner result is that of the last
/// attempt; an outer error ends it at once.
pub(crate) async fn insist<E, F>(
    times: u32,
    mut attempt: impl FnMut() -> F,
) -> Result<Result<(), Failure>, E>
where
    F: Future<Output = Result<Result<(), Failure>, E>>,
{
    let mut number = 1;
    loop {
        match attempt().await? {
            Err(failure) if number < times && !matches!(failure.verdict, Verdict::Reject(_)) => {
                sleep(backoff(number)).await;
                number += 1;
            }
            ended => return Ok(ended),
        }
    }
}

fn jittered(first: Duration, attempt: u32, longest: Duration) -> Duration {
    let doubled = first
        .saturating_mul(1_u32.checked_shl(attempt.saturating_sub(1).min(31)).unwrap_or(u32::MAX));
    doubled.min(longest).mul_f64(rand::rng().random_range(0.75..1.25))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::pause;

    #[test]
    fn pauses_grow_and_end_somewhere() {
        assert!(pause(1) < Duration::from_millis(126));
        assert!(pause(5) > pause(1) * 4);
        assert!(pause(1000) <= Duration::from_secs(750));
    }
}
