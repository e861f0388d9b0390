//! The pause before a process that died is restarted.

use std::time::Duration;

/// The pause after the first exit.
const FIRST: Duration = Duration::from_millis(500);

const LONGEST: Duration = Duration::from_secs(30);

/// After this uptime the pauses start over.
const HEALTHY: Duration = Duration::from_mins(1);

/// Exponential back-off.
#[derive(Debug, Clone, Copy)]
pub(super) struct BackOff {
    next: Duration,
}

impl Default for BackOff {
    fn default() -> Self {
        Self { next: FIRST }
    }
}

impl BackOff {
    /// The pause after an exit with this uptime.
    pub(super) fn pause_after(&mut self, uptime: Duration) -> Duration {
        if uptime >= HEALTHY {
            self.next = FIRST;
        }
        let pause = self.next;
        self.next = (pause * 2).min(LONGEST);
        pause
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::BackOff;

    #[test]
    fn pauses_double_up_to_a_bound_and_start_over_when_healthy() {
        let mut back_off = BackOff::default();
        let pauses: Vec<u128> =
            (0..8).map(|_| back_off.pause_after(Duration::ZERO).as_millis()).collect();
        assert_eq!(pauses, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        assert_eq!(back_off.pause_after(Duration::from_mins(2)).as_millis(), 500);
        assert_eq!(back_off.pause_after(Duration::ZERO).as_millis(), 1000);
    }
}
