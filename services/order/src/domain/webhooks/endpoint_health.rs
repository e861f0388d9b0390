//! How an endpoint is doing: active, paused because it seems dead, or disabled.

use std::{str::FromStr, time::Duration};

use chrono::{DateTime, Utc};

use super::attempt::AttemptResult;

/// An endpoint is paused after this many failed attempts in a row, …
const FAILURES_BEFORE_PAUSE: u32 = 10;

/// … if the first of them is this long ago. A restart of the receiver takes less.
const TIME_BEFORE_PAUSE: Duration = Duration::from_secs(30);

/// A pause takes as long as the endpoint has been failing, within these bounds.
const SHORTEST_PAUSE: Duration = Duration::from_mins(1);
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// An endpoint that fails for this long is disabled.
const TIME_BEFORE_DISABLING: Duration = Duration::from_hours(5 * 24);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct EndpointHealth {
    pub(crate) status: EndpointStatus,
    /// Failed attempts since the last success.
    pub(crate) failures: u32,
    /// The time of the first of them.
    pub(crate) failing_since: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum EndpointStatus {
    #[default]
    Active,
    /// Its messages wait. One attempt at `next_probe_at` tells whether it is back.
    Paused { next_probe_at: DateTime<Utc> },
    /// It gets no messages until it is resumed.
    Disabled(DisabledReason),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DisabledReason {
    /// It answered 410.
    Gone,
    /// It failed for five days.
    Failing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a reason to disable an endpoint")]
pub(crate) struct UnknownReason;

impl DisabledReason {
    /// The name in JSON and in the database.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Failing => "failing",
        }
    }
}

impl FromStr for DisabledReason {
    type Err = UnknownReason;

    fn from_str(text: &str) -> Result<Self, UnknownReason> {
        let found = [Self::Gone, Self::Failing].into_iter().find(|reason| reason.as_str() == text);
        found.ok_or(UnknownReason)
    }
}

impl EndpointStatus {
    /// The name in JSON and in the database.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused { .. } => "paused",
            Self::Disabled(_) => "disabled",
        }
    }
}

impl EndpointHealth {
    /// Whether a success changes nothing.
    pub(crate) fn is_perfect(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) const fn is_disabled(&self) -> bool {
        matches!(self.status, EndpointStatus::Disabled(_))
    }

    /// The health after an attempt that ended at `now`.
    #[must_use]
    pub(crate) fn after(self, result: &AttemptResult, now: DateTime<Utc>) -> Self {
        if self.is_disabled() {
            // An attempt that had begun before.
            return self;
        }
        match result {
            AttemptResult::Delivered { .. } => Self::default(),
            AttemptResult::Gone => self.disabled(DisabledReason::Gone),
            AttemptResult::Failed(_) => self.after_failure(now),
        }
    }

    fn after_failure(self, now: DateTime<Utc>) -> Self {
        let since = self.failing_since.unwrap_or(now);
        let failures = self.failures.saturating_add(1);
        let elapsed = (now - since).to_std().unwrap_or_default();
        let failing = Self { failures, failing_since: Some(since), ..self };
        if elapsed >= TIME_BEFORE_DISABLING {
            return failing.disabled(DisabledReason::Failing);
        }
        let pauses = match self.status {
            EndpointStatus::Active => {
                failures >= FAILURES_BEFORE_PAUSE && elapsed >= TIME_BEFORE_PAUSE
            }
            // Of several attempts that end after each other, the first one begins the pause.
            EndpointStatus::Paused { next_probe_at } => next_probe_at <= now,
            EndpointStatus::Disabled(_) => false,
        };
        if pauses {
            let next_probe_at = now + elapsed.clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
            Self { status: EndpointStatus::Paused { next_probe_at }, ..failing }
        } else {
            failing
        }
    }

    const fn disabled(self, reason: DisabledReason) -> Self {
        Self { status: EndpointStatus::Disabled(reason), ..self }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::{DateTime, Utc};
    use proptest::prelude::*;

    use super::{
        DisabledReason, EndpointHealth, EndpointStatus, FAILURES_BEFORE_PAUSE, LONGEST_PAUSE,
    };
    use crate::domain::webhooks::{AttemptError, AttemptResult};

    const FAILED: AttemptResult = AttemptResult::Failed(AttemptError::Timeout);
    const DELIVERED: AttemptResult = AttemptResult::Delivered { status_code: 200 };

    fn at(second: u64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + Duration::from_secs(second)
    }

    fn after_failures(seconds: impl IntoIterator<Item = u64>) -> EndpointHealth {
        seconds
            .into_iter()
            .fold(EndpointHealth::default(), |health, second| health.after(&FAILED, at(second)))
    }

    #[test]
    fn a_short_outage_does_not_pause_an_endpoint() {
        let many = after_failures((0..1_000).map(|number| number / 100));
        assert_eq!((many.status, many.failures), (EndpointStatus::Active, 1_000));
        let slow = after_failures((0..9).map(|number| number * 60));
        assert_eq!(slow.status, EndpointStatus::Active);
    }

    #[test]
    fn a_dead_endpoint_is_paused_for_longer_each_time() {
        let mut health = after_failures((0..10).map(|number| number * 10));
        let mut pauses = Vec::new();
        let mut now = at(90);
        while let EndpointStatus::Paused { next_probe_at } = health.status {
            pauses.push((next_probe_at - now).num_seconds());
            // Attempts that began before the pause change nothing.
            assert_eq!(health.after(&FAILED, now).status, health.status);
            now = next_probe_at;
            health = health.after(&FAILED, now);
        }
        assert_eq!(pauses[..5], [90, 180, 360, 720, 1_440]);
        assert!(pauses[6..].iter().all(|pause| *pause == 3_600), "{pauses:?}");
        assert_eq!(health.status, EndpointStatus::Disabled(DisabledReason::Failing));
        assert!(now >= at(5 * 86_400) && now <= at(5 * 86_400 + 3_600));
    }

    #[test]
    fn a_success_makes_an_endpoint_active() {
        let paused = after_failures((0..10).map(|number| number * 10));
        assert_eq!(paused.after(&DELIVERED, at(100)), EndpointHealth::default());
    }

    #[test]
    fn an_endpoint_that_is_gone_stays_disabled() {
        let gone = EndpointHealth::default().after(&AttemptResult::Gone, at(0));
        assert_eq!(gone.status, EndpointStatus::Disabled(DisabledReason::Gone));
        for late in [DELIVERED, FAILED, AttemptResult::Gone] {
            assert_eq!(gone.after(&late, at(1)), gone);
        }
    }

    proptest! {
        /// For any results: it is perfect exactly if the last one was a success; a pause needs enough failures in a row;
        /// the next probe is never further away than the longest pause.
        #[test]
        fn health_follows_from_the_failures_since_the_last_success(
            results in prop::collection::vec((any::<bool>(), 0_u64..4_000), 1..60)
        ) {
            let (mut health, mut now, mut failures) = (EndpointHealth::default(), 0, 0);
            for (is_success, pause) in results {
                now += pause;
                health = health.after(if is_success { &DELIVERED } else { &FAILED }, at(now));
                failures = if is_success { 0 } else { failures + 1 };
                prop_assert_eq!(health.failures, failures);
                prop_assert_eq!(health.is_perfect(), is_success);
                if let EndpointStatus::Paused { next_probe_at } = health.status {
                    prop_assert!(failures >= FAILURES_BEFORE_PAUSE);
                    prop_assert!(next_probe_at <= at(now) + LONGEST_PAUSE);
                }
            }
        }
    }
}
