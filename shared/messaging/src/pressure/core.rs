//! What is admitted under which pressure, without any I/O.

use std::time::Duration;

/// How old the outbox may be while its events cannot leave, before lesser writes are refused.
const OLD: Duration = Duration::from_secs(2);

/// How long the broker must have been well before lesser writes are taken again: a link that comes and goes must not make writes
/// come and go with it.
const CALM: Duration = Duration::from_secs(2);

/// Which writes are refused first while events cannot leave the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Criticality {
    /// Accepted as long as the outbox has room: an order, a payment.
    Critical,
    /// Refused first: the client can retry later.
    Deferrable,
}

// temporary alias: the old names of the variants
#[doc(hidden)]
#[expect(non_upper_case_globals, reason = "the old names of the variants")]
impl Criticality {
    pub const Essential: Self = Self::Critical;
    pub const Lesser: Self = Self::Deferrable;
}

/// How far the outbox may grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutboxBounds {
    /// Rows from which on every write that says events is refused. The outbox is looked at four times a second, so it may
    /// grow beyond by what is written in between, and by what events heard meanwhile cause.
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
    /// What the rows must fall below before lesser writes are taken again.
    const fn lesser_again(self) -> i64 {
        self.deferrable_rows - self.deferrable_rows / 4
    }

    /// What the rows must fall below before any write is taken again.
    const fn again(self) -> i64 {
        self.rows - self.rows / 10
    }
}

/// What is seen of the outbox at one look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Figures {
    /// How many rows it has, at most.
    pub(crate) rows: i64,
    /// How old its oldest row is; zero if it is empty.
    pub(crate) oldest: Duration,
    /// Why events do not leave, if that is known.
    pub(crate) trouble: Option<String>,
}

/// Which writes are taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Admission {
    /// All.
    #[default]
    All,
    /// Only essential ones, and why.
    Essential(Refusal),
    /// None, and why.
    None(Refusal),
}

/// Why writes are refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// A stable code: `broker_unavailable` or `outbox_full`.
    pub(crate) code: &'static str,
    /// The same for people.
    pub(crate) reason: String,
}

impl Admission {
    /// Why a write of this criticality is refused, if it is.
    pub(crate) const fn refusal(&self, criticality: Criticality) -> Option<&Refusal> {
        match (self, criticality) {
            (Self::All, _) | (Self::Essential(_), Criticality::Critical) => None,
            (Self::Essential(refusal) | Self::None(refusal), _) => Some(refusal),
        }
    }
}

/// Decides which writes are taken, look by look. What was refused is taken again only when things are clearly better than when
/// it was refused first.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    /// Whether everything is refused because there is no room.
    is_full: bool,
    /// Whether lesser writes are refused because there is little room.
    is_filling: bool,
    /// Whether lesser writes are refused because events do not leave.
    is_stuck: bool,
    /// For how long no trouble has been known of.
    calm: Duration,
    /// The last trouble that was known.
    trouble: String,
}

impl Gate {
    /// What is admitted, given what is seen, `since` the last look.
    pub(crate) fn look(
        &mut self,
        figures: &Figures,
        bounds: OutboxBounds,
        since: Duration,
    ) -> Admission {
        let rows = figures.rows;
        self.is_full = rows >= if self.is_full { bounds.again() } else { bounds.rows };
        let filling = if self.is_filling { bounds.lesser_again() } else { bounds.deferrable_rows };
        self.is_filling = rows >= filling;
        if let Some(trouble) = &figures.trouble {
            self.calm = Duration::ZERO;
            self.trouble.clone_from(trouble);
            self.is_stuck |= figures.oldest > OLD;
        } else {
            self.calm = self.calm.saturating_add(since);
            self.is_stuck &= self.calm < CALM;
        }
        self.admission(figures)
    }

    fn admission(&self, figures: &Figures) -> Admission {
        let full = || {
            let why = figures.trouble.as_ref().map_or_else(String::new, |why| format!(": {why}"));
            let reason = format!("{} events wait to leave{why}", figures.rows);
            Refusal { code: "outbox_full", reason }
        };
        if self.is_full {
            Admission::None(full())
        } else if self.is_filling {
            Admission::Essential(full())
        } else if self.is_stuck {
            let reason = format!("events do not leave: {}", self.trouble);
            Admission::Essential(Refusal { code: "broker_unavailable", reason })
        } else {
            Admission::All
        }
    }
}

/// How many rows the outbox has, without counting them each time.
///
/// Rows are numbered as they come and leave from the front, so there are at most as many as there are numbers from the oldest
/// row to the last. That is far more than there are where one key is stuck and others flow past it; then they are counted, and
/// of what came since the count there is at most as much as there are numbers.
#[derive(Debug, Default)]
pub(crate) struct RowEstimate {
    /// Rows at the last count, and the last number at that time.
    counted: Option<(i64, i64)>,
}

impl RowEstimate {
    /// At most so many rows, given the number of the oldest, if there is any, and the last number given out.
    pub(crate) fn rows(&self, first: Option<i64>, last: i64) -> i64 {
        let span = first.map_or(0, |first| last - first + 1);
        self.counted.map_or(span, |(rows, at)| span.min(rows + last - at)).max(0)
    }

    /// They have been counted when `last` was the last number.
    pub(crate) const fn counted(&mut self, rows: i64, last: i64) {
        self.counted = Some((rows, last));
    }

    /// Whether so many rows are worth a count: below, the estimate decides nothing.
    pub(crate) const fn is_worth_counting(rows: i64, bounds: OutboxBounds) -> bool {
        rows >= bounds.lesser_again()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Admission, Criticality, Figures, Gate, OutboxBounds, RowEstimate};

    const BOUNDS: OutboxBounds = OutboxBounds { rows: 1000, deferrable_rows: 400 };
    const TICK: Duration = Duration::from_millis(250);

    fn seen(rows: i64, oldest_ms: u64, trouble: Option<&str>) -> Figures {
        let oldest = Duration::from_millis(oldest_ms);
        Figures { rows, oldest, trouble: trouble.map(str::to_owned) }
    }

    /// Whether essential and lesser writes are taken after one more look.
    fn takes(gate: &mut Gate, figures: &Figures) -> (bool, bool) {
        let admission = gate.look(figures, BOUNDS, TICK);
        let taken = |criticality| admission.refusal(criticality).is_none();
        (taken(Criticality::Critical), taken(Criticality::Deferrable))
    }

    #[test]
    fn lesser_writes_are_refused_when_events_are_stuck_and_old() {
        let mut gate = Gate::default();
        assert_eq!(takes(&mut gate, &seen(9, 60_000, None)), (true, true), "old, but not stuck");
        assert_eq!(takes(&mut gate, &seen(9, 1_900, Some("gone"))), (true, true), "not old yet");
        assert_eq!(takes(&mut gate, &seen(9, 2_100, Some("gone"))), (true, false));
        let Admission::Essential(refusal) = gate.look(&seen(9, 2_400, Some("gone")), BOUNDS, TICK)
        else {
            panic!("lesser writes are taken");
        };
        assert_eq!(
            (refusal.code, &*refusal.reason),
            ("broker_unavailable", "events do not leave: gone")
        );
    }

    #[test]
    fn a_broker_that_comes_and_goes_does_not_make_writes_come_and_go() {
        let mut gate = Gate::default();
        assert_eq!(takes(&mut gate, &seen(9, 3_000, Some("gone"))), (true, false));
        for _ in 0..7 {
            assert_eq!(takes(&mut gate, &seen(9, 3_000, None)), (true, false));
        }
        assert_eq!(takes(&mut gate, &seen(9, 0, Some("gone"))), (true, false), "and away again");
        for _ in 0..7 {
            assert_eq!(takes(&mut gate, &seen(0, 0, None)), (true, false));
        }
        assert_eq!(takes(&mut gate, &seen(0, 0, None)), (true, true), "well for two seconds");
    }

    #[test]
    fn an_outbox_that_fills_takes_essential_writes_only_and_then_none() {
        let mut gate = Gate::default();
        for (rows, taken) in [
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
            assert_eq!(takes(&mut gate, &seen(rows, 9_000, None)), taken, "{rows} rows");
        }
    }

    #[test]
    fn rows_are_never_underestimated_and_a_count_corrects() {
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
