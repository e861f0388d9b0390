//! How long to wait before trying again.

use std::time::Duration;

use rand::Rng;

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
