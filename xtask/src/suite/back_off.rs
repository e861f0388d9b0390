//! How long to wait before something that died is started again.

use std::time::Duration;

/// The pause after the first death.
const FIRST: Duration = Duration::from_millis(500);

/// No pause is longer.
const LONGEST: Duration = Duration::from_secs(30);

/// What has lived this long was well; its next death is a first one.
const HEALTHY: Duration = Duration::from_mins(1);

/// Pauses that double from death to death.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BackOff {
    next: Duration,
}

impl Default for BackOff {
    fn default() -> Self {
        Self { next: FIRST }
    }
}

impl BackOff {
    /// The pause after a life of `lived`.
    pub(crate) fn pause_after(&mut self, lived: Duration) -> Duration {
        if lived >= HEALTHY {
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
    fn pauses_double_to_a_bound_and_begin_anew_after_a_long_life() {
        let mut back_off = BackOff::default();
        let pauses: Vec<u128> =
            (0..8).map(|_| back_off.pause_after(Duration::ZERO).as_millis()).collect();
        assert_eq!(pauses, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        assert_eq!(back_off.pause_after(Duration::from_mins(2)).as_millis(), 500);
        assert_eq!(back_off.pause_after(Duration::ZERO).as_millis(), 1000);
    }
}
