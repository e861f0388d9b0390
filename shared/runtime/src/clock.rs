//! The time of day.

use chrono::{DateTime, SubsecRound as _, Utc};

/// Now, to the microsecond: PostgreSQL keeps no more, and a time must equal itself after it was stored and read.
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
