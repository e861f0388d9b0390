//! The clock of the process.

use chrono::{DateTime, SubsecRound as _, Utc};

/// The current time, truncated to microseconds, the precision of PostgreSQL: a stored time equals the one read back.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that asks the system for the time"
)]
pub fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

#[cfg(test)]
mod tests {
    #[test]
    fn there_is_nothing_finer_than_a_microsecond() {
        assert_eq!(super::now().timestamp_subsec_nanos() % 1_000, 0);
    }
}
