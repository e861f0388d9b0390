//! Admission control: which writes are accepted, without I/O.

use std::time::Duration;

/// The age of the oldest unpublished event at which deferrable writes are refused during an outage.
const STALE_AFTER: Duration = Duration::from_secs(2);

/// How long an outage must be over before deferrable writes are accepted again, so that an unstable connection does not toggle them.
const RECOVERED_AFTER: Duration = Duration::from_secs(2);

/// How urgent a write is while events cannot be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Criticality {
    /// Accepted as long as the outbox has room: an order, a payment.
    Critical,
    /// Refused first: the client can retry later.
    Deferrable,
}

/// How many rows the outbox may have.
///
/// The rows are checked four times a second. In between, accepted writes and events emitted by handlers may exceed the bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutboxBounds {
    /// The number of rows at which all writes that emit events are refused.
    pub rows: i64,
    /// The number of rows at which deferrable writes are refused, whatever the state of the broker.
    pub deferrable_rows: i64,
}

impl Default for OutboxBounds {
    fn default() -> Self {
        Self { rows: 1_000_000, deferrable_rows: 500_000 }
    }
}

impl OutboxBounds {
    /// The rows must fall below this number before deferrable writes are accepted again.
    const fn deferrable_resume_rows(self) -> i64 {
        self.deferrable_rows - self.deferrable_rows / 4
    }

    /// The rows must fall below this number before any write is accepted again.
    const fn resume_rows(self) -> i64 {
        self.rows - self.rows / 10
    }
}

/// The outbox at one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OutboxObservation {
    /// An upper bound.
    pub(super) rows: i64,
    /// The age of the oldest row; zero if there is none.
    pub(super) oldest: Duration,
    /// Why events cannot be published, if they cannot.
    pub(super) outage: Option<String>,
}

/// Which writes are accepted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Admission {
    #[default]
    All,
    CriticalOnly(Refusal),
    None(Refusal),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// A stable code: `broker_unavailable` or `outbox_full`.
    pub(super) code: &'static str,
    /// An explanation for people.
    pub(super) reason: String,
}

impl Admission {
    /// Why a write of this criticality is refused, if it is.
    pub(super) const fn refusal(&self, criticality: Criticality) -> Option<&Refusal> {
        match (self, criticality) {
            (Self::All, _) | (Self::CriticalOnly(_), Criticality::Critical) => None,
            (Self::CriticalOnly(refusal) | Self::None(refusal), _) => Some(refusal),
        }
    }
}

/// Decides at each check which writes are accepted, with hysteresis: refused writes are accepted again only after a clear
/// improvement.
#[derive(Debug, Default)]
pub(super) struct AdmissionControl {
    /// All writes are refused because the outbox is full.
    is_full: bool,
    /// Deferrable writes are refused because the outbox is filling.
    is_filling: bool,
    /// Deferrable writes are refused because of an outage.
    is_stuck: bool,
    /// The time since the last known outage.
    recovered_for: Duration,
    /// The reason of the last known outage.
    outage: String,
}

impl AdmissionControl {
    /// The admission after one more check, `elapsed` after the last one.
    pub(super) fn update(
        &mut self,
        observation: &OutboxObservation,
        bounds: OutboxBounds,
        elapsed: Duration,
    ) -> Admission {
        let rows = observation.rows;
        self.is_full = rows >= if self.is_full { bounds.resume_rows() } else { bounds.rows };
        let filling =
            if self.is_filling { bounds.deferrable_resume_rows() } else { bounds.deferrable_rows };
        self.is_filling = rows >= filling;
        if let Some(outage) = &observation.outage {
            self.recovered_for = Duration::ZERO;
            self.outage.clone_from(outage);
            self.is_stuck |= observation.oldest > STALE_AFTER;
        } else {
            self.recovered_for = self.recovered_for.saturating_add(elapsed);
            self.is_stuck &= self.recovered_for < RECOVERED_AFTER;
        }
        self.admission(observation)
    }

    fn admission(&self, observation: &OutboxObservation) -> Admission {
        let full = || {
            let outage = observation.outage.as_ref();
            let outage = outage.map_or_else(String::new, |outage| format!(": {outage}"));
            let reason = format!("{} events are not published yet{outage}", observation.rows);
            Refusal { code: "outbox_full", reason }
        };
        if self.is_full {
            Admission::None(full())
        } else if self.is_filling {
            Admission::CriticalOnly(full())
        } else if self.is_stuck {
            let reason = format!("events cannot be published: {}", self.outage);
            Admission::CriticalOnly(Refusal { code: "broker_unavailable", reason })
        } else {
            Admission::All
        }
    }
}

/// Estimates the number of rows without counting them each time.
///
/// Rows are numbered in order and deleted from the front, so the range of ids is an upper bound. It is far too high if one key is
/// stuck while others are published. Then the rows are counted, and only the ids assigned since the count are added.
#[derive(Debug, Default)]
pub(super) struct RowEstimate {
    /// The rows at the last count, and the last id at that time.
    counted: Option<(i64, i64)>,
}

impl RowEstimate {
    /// An upper bound, given the id of the oldest row, if any, and the last id assigned.
    pub(super) fn rows(&self, first: Option<i64>, last: i64) -> i64 {
        let span = first.map_or(0, |first| last - first + 1);
        self.counted.map_or(span, |(rows, at)| span.min(rows + last - at)).max(0)
    }

    /// Records a count at the time of the id `last`.
    pub(super) const fn counted(&mut self, rows: i64, last: i64) {
        self.counted = Some((rows, last));
    }

    /// Whether an exact count could change the admission.
    pub(super) const fn is_worth_counting(rows: i64, bounds: OutboxBounds) -> bool {
        rows >= bounds.deferrable_resume_rows()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{
        Admission, AdmissionControl, Criticality, OutboxBounds, OutboxObservation, RowEstimate,
    };

    const BOUNDS: OutboxBounds = OutboxBounds { rows: 1000, deferrable_rows: 400 };
    const TICK: Duration = Duration::from_millis(250);

    fn observe(rows: i64, oldest_ms: u64, outage: Option<&str>) -> OutboxObservation {
        let oldest = Duration::from_millis(oldest_ms);
        OutboxObservation { rows, oldest, outage: outage.map(str::to_owned) }
    }

    /// Whether critical and deferrable writes are accepted after one more check.
    fn accepts(control: &mut AdmissionControl, observation: &OutboxObservation) -> (bool, bool) {
        let admission = control.update(observation, BOUNDS, TICK);
        let accepts = |criticality| admission.refusal(criticality).is_none();
        (accepts(Criticality::Critical), accepts(Criticality::Deferrable))
    }

    #[test]
    fn deferrable_writes_are_refused_while_events_are_stuck() {
        let mut control = AdmissionControl::default();
        assert_eq!(
            accepts(&mut control, &observe(9, 60_000, None)),
            (true, true),
            "stale without an outage"
        );
        assert_eq!(
            accepts(&mut control, &observe(9, 1_900, Some("gone"))),
            (true, true),
            "an outage, but not stale yet"
        );
        assert_eq!(accepts(&mut control, &observe(9, 2_100, Some("gone"))), (true, false));
        let Admission::CriticalOnly(refusal) =
            control.update(&observe(9, 2_400, Some("gone")), BOUNDS, TICK)
        else {
            panic!("deferrable writes are accepted");
        };
        assert_eq!(
            (refusal.code, &*refusal.reason),
            ("broker_unavailable", "events cannot be published: gone")
        );
    }

    #[test]
    fn an_unstable_broker_does_not_toggle_the_admission() {
        let mut control = AdmissionControl::default();
        assert_eq!(accepts(&mut control, &observe(9, 3_000, Some("gone"))), (true, false));
        for _ in 0..7 {
            assert_eq!(accepts(&mut control, &observe(9, 3_000, None)), (true, false));
        }
        assert_eq!(
            accepts(&mut control, &observe(9, 0, Some("gone"))),
            (true, false),
            "the next outage"
        );
        for _ in 0..7 {
            assert_eq!(accepts(&mut control, &observe(0, 0, None)), (true, false));
        }
        assert_eq!(
            accepts(&mut control, &observe(0, 0, None)),
            (true, true),
            "two seconds without an outage"
        );
    }

    #[test]
    fn a_filling_outbox_accepts_critical_writes_only_then_none() {
        let mut control = AdmissionControl::default();
        for (rows, expected) in [
            (399, (true, true)),
            (400, (true, false)),
            (301, (true, false)),
            (299, (true, true)),
            (399, (true, true)),
            (999, (true, false)),
            (1000, (false, false)),
            (901, (false, false)),
            (899, (true, false)),
            (999, (true, false)),
            (1, (true, true)),
        ] {
            assert_eq!(accepts(&mut control, &observe(rows, 9_000, None)), expected, "{rows} rows");
        }
    }

    #[test]
    fn the_estimate_is_an_upper_bound_and_a_count_corrects_it() {
        let mut estimate = RowEstimate::default();
        assert_eq!(estimate.rows(None, 500), 0);
        assert_eq!(estimate.rows(Some(500), 500), 1);
        assert_eq!(estimate.rows(Some(1), 500), 500, "a stuck row at the front");
        estimate.counted(3, 500);
        assert_eq!(estimate.rows(Some(1), 500), 3);
        assert_eq!(estimate.rows(Some(1), 520), 23);
        assert_eq!(estimate.rows(Some(519), 520), 2);
        assert_eq!(estimate.rows(None, 520), 0);
    }
}
