//! Recovery times and their limits.

use std::time::Duration;

use suite::{
    Figures,
    Target::{self, AtMost},
    percentile_ms,
};

use crate::{
    inject::Outcome,
    plan::{Fault, Infrastructure, Instances},
};

/// The limit of the 99th percentile of recoveries, in seconds.
const RECOVERY_S: f64 = 5.0;

/// The limit of the longest takeover, in seconds. The slowest is that of a paused instance: the broker closes
/// its connection after two or three missed heartbeats of two seconds each. One more second is for the start
/// of the next consumer.
const TAKEOVER_S: f64 = 8.0;

/// The limit of the detection of dead connections and the recovery from them, in seconds.
///
/// Each end closes a connection after two or three missed heartbeats, which are ten seconds apart for
/// connections that do not consume (`HEARTBEAT` of the kit). The leading relay notices earlier, by missing
/// confirms. The relay that takes over has a dead connection too, and notices by missing confirms or
/// heartbeats.
const DETECTION_S: f64 = 30.0 + RECOVERY_S;

/// The recovery times of a run.
#[derive(Debug, Default)]
pub(super) struct RecoveryTimes {
    recoveries: Vec<Duration>,
    takeovers: Vec<Duration>,
    detections: Vec<Duration>,
}

impl RecoveryTimes {
    /// Records the time of one fault.
    pub(super) fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::TakenOver(elapsed) => self.takeovers.push(elapsed),
            Outcome::Recovered { elapsed, .. } => self.recoveries.push(elapsed),
            Outcome::Detected { elapsed, .. } => self.detections.push(elapsed),
        }
    }

    /// Records the figures of a run with these planned `faults`, and returns the exceeded limits.
    ///
    /// A missing time is NaN, which exceeds every limit and is null in JSON. Figures of unplanned faults are
    /// left out, except recoveries: a run without a recovery proves nothing.
    pub(super) fn report(&mut self, faults: &[Fault], figures: &mut Figures) -> Vec<String> {
        let mut exceeded = Vec::new();
        let mut limit = |figures: &mut Figures, name: &str, seconds: f64, most: f64| {
            figures.record(name, seconds, AtMost(most));
            if seconds.is_nan() || seconds > most {
                exceeded.push(format!("{name} is {seconds:.2}; the limit is {most}"));
            }
        };
        figures.record("recovery_p50_s", seconds(&mut self.recoveries, 50), Target::None);
        limit(figures, "recovery_p99_s", seconds(&mut self.recoveries, 99), RECOVERY_S);
        figures.record("recovery_longest_s", seconds(&mut self.recoveries, 100), Target::None);
        if faults.iter().any(|fault| matches!(fault, Fault::Kill(_, instances) | Fault::Pause(_, instances) if *instances != Instances::Both)) {
            figures.record("takeover_p50_s", seconds(&mut self.takeovers, 50), Target::None);
            limit(figures, "takeover_longest_s", seconds(&mut self.takeovers, 100), TAKEOVER_S);
        }
        if faults.contains(&Fault::Infrastructure(Infrastructure::Blackhole)) {
            limit(figures, "silence_longest_s", seconds(&mut self.detections, 100), DETECTION_S);
        }
        exceeded
    }
}

fn seconds(times: &mut [Duration], percent: usize) -> f64 {
    percentile_ms(times, percent) / 1000.0
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use suite::Figures;

    use super::RecoveryTimes;
    use crate::{
        inject::Outcome,
        plan::{Fault, Infrastructure, Instances},
    };

    /// The exceeded limits of a run with a planned takeover and a planned blackhole that had these outcomes.
    fn exceeded(outcomes: &[Outcome]) -> Vec<String> {
        let faults = [
            Fault::Kill("order", Instances::First),
            Fault::Infrastructure(Infrastructure::Blackhole),
        ];
        let mut times = RecoveryTimes::default();
        for outcome in outcomes {
            times.add(*outcome);
        }
        times.report(&faults, &mut Figures::default())
    }

    #[test]
    fn exceeded_limits_and_missing_times_are_reported() {
        let outcomes = |seconds: [u64; 3]| {
            let [recovery, takeover, detection] = seconds.map(Duration::from_secs);
            [
                Outcome::Recovered { elapsed: recovery, last_service: "order" },
                Outcome::TakenOver(takeover),
                Outcome::Detected { elapsed: detection, last_service: "order" },
            ]
        };
        assert_eq!(exceeded(&outcomes([5, 8, 35])), [""; 0]);
        assert_eq!(exceeded(&outcomes([6, 8, 35])), ["recovery_p99_s is 6.00; the limit is 5"]);
        assert_eq!(exceeded(&outcomes([5, 9, 35])), ["takeover_longest_s is 9.00; the limit is 8"]);
        assert_eq!(
            exceeded(&outcomes([5, 8, 36])),
            ["silence_longest_s is 36.00; the limit is 35"]
        );
        assert_eq!(exceeded(&[]).len(), 3);
    }

    #[test]
    fn only_a_recovery_is_missed_without_being_planned() {
        let mut times = RecoveryTimes::default();
        let exceeded = times.report(
            &[Fault::Infrastructure(Infrastructure::ResetConnections)],
            &mut Figures::default(),
        );
        assert_eq!(exceeded, ["recovery_p99_s is NaN; the limit is 5"]);
    }
}
