//! How long it took until what was struck worked again, and how long it may take.

use std::time::Duration;

use super::{
    blow::Outcome,
    plan::{Fault, Ground, Whom},
};
use crate::bench::figures::{
    Figures,
    Goal::{AtMost, Told},
    percentile_ms,
};

/// How many seconds a recovery may take, but for one in a hundred.
const RECOVERY_S: f64 = 5.0;

/// How many seconds the longest takeover may take. A hanging instance is the slowest to be replaced: the broker lets go of its
/// connection when two or three heartbeats of a consumer, two seconds each, are missed; the other second is for the next one to begin.
const TAKEOVER_S: f64 = 8.0;

/// How many seconds it may take until silent connections have been noticed and everything works again. Each end gives a connection
/// up after two to three heartbeats, which are ten seconds for all who do not consume (`HEARTBEAT` of the kit); then there is a
/// recovery. A relay that leads notices sooner, for its confirms do not come; but the one that takes over from it has waited on a dead
/// connection as well, and notices when its own confirms do not come, or its heartbeats.
const SILENCE_S: f64 = 30.0 + RECOVERY_S;

/// The times of a run.
#[derive(Debug, Default)]
pub(super) struct Times {
    recoveries: Vec<Duration>,
    takeovers: Vec<Duration>,
    silences: Vec<Duration>,
}

impl Times {
    /// Takes the time of one fault.
    pub(super) fn take(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::TakenOver(took) => self.takeovers.push(took),
            Outcome::Recovered { took, .. } => self.recoveries.push(took),
            Outcome::Noticed { took, .. } => self.silences.push(took),
        }
    }

    /// Tells the figures of a run that was to have these `faults`, and answers what took too long.
    ///
    /// A time that was never taken is no number, which misses every bound, and null in JSON. Of what was not planned nothing is told, but
    /// for recoveries: a run without one proves nothing.
    pub(super) fn tell(&mut self, faults: &[Fault], figures: &mut Figures) -> Vec<String> {
        let mut late = Vec::new();
        let mut bound = |figures: &mut Figures, name: &str, seconds: f64, most: f64| {
            figures.take(name, seconds, AtMost(most));
            if seconds.is_nan() || seconds > most {
                late.push(format!("{name} is {seconds:.2}, and may be {most}"));
            }
        };
        figures.take("recovery_p50_s", seconds(&mut self.recoveries, 50), Told);
        bound(figures, "recovery_p99_s", seconds(&mut self.recoveries, 99), RECOVERY_S);
        figures.take("recovery_longest_s", seconds(&mut self.recoveries, 100), Told);
        if faults.iter().any(|fault| matches!(fault, Fault::Kill(_, whom) | Fault::Stop(_, whom) if *whom != Whom::Both)) {
            figures.take("takeover_p50_s", seconds(&mut self.takeovers, 50), Told);
            bound(figures, "takeover_longest_s", seconds(&mut self.takeovers, 100), TAKEOVER_S);
        }
        if faults.contains(&Fault::Ground(Ground::Silence)) {
            bound(figures, "silence_longest_s", seconds(&mut self.silences, 100), SILENCE_S);
        }
        late
    }
}

fn seconds(times: &mut [Duration], percent: usize) -> f64 {
    percentile_ms(times, percent) / 1000.0
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Times;
    use crate::{
        bench::figures::Figures,
        chaos::{
            blow::Outcome,
            plan::{Fault, Ground, Whom},
        },
    };

    /// What takes too long in a run with a planned takeover and a planned silence, in which these things happened.
    fn late(outcomes: &[Outcome]) -> Vec<String> {
        let faults = [Fault::Kill("order", Whom::First), Fault::Ground(Ground::Silence)];
        let mut times = Times::default();
        for outcome in outcomes {
            times.take(*outcome);
        }
        times.tell(&faults, &mut Figures::default())
    }

    #[test]
    fn what_took_too_long_or_was_never_seen_is_named() {
        let outcomes = |took: [u64; 3]| {
            let [recovered, taken_over, noticed] = took.map(Duration::from_secs);
            [
                Outcome::Recovered { took: recovered, last: "order" },
                Outcome::TakenOver(taken_over),
                Outcome::Noticed { took: noticed, last: "order" },
            ]
        };
        assert_eq!(late(&outcomes([5, 8, 35])), [""; 0]);
        assert_eq!(late(&outcomes([6, 8, 35])), ["recovery_p99_s is 6.00, and may be 5"]);
        assert_eq!(late(&outcomes([5, 9, 35])), ["takeover_longest_s is 9.00, and may be 8"]);
        assert_eq!(late(&outcomes([5, 8, 36])), ["silence_longest_s is 36.00, and may be 35"]);
        assert_eq!(late(&[]).len(), 3);
    }

    #[test]
    fn what_was_not_planned_is_not_missed_but_for_a_recovery() {
        let mut times = Times::default();
        let late = times.tell(&[Fault::Ground(Ground::Cut)], &mut Figures::default());
        assert_eq!(late, ["recovery_p99_s is NaN, and may be 5"]);
    }
}
