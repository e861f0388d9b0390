//! What the consumer decides, without any I/O: for each event that came, whether it is the next of its key, and what
//! becomes of it; and which of the events to be applied are handed to which handler together.

use std::{collections::HashMap, time::Duration};

use envelope::Envelope;

use crate::topology::OnReject;

/// An event on its way to its handler.
#[derive(Debug, Clone)]
pub(crate) struct Incoming {
    pub(crate) envelope: Envelope,
    /// How often it has been tried.
    pub(crate) attempts: u32,
    /// Why it failed each time.
    pub(crate) causes: Vec<String>,
    /// The exchange it came through and its routing key.
    pub(crate) route: (String, String),
}

impl Incoming {
    pub(crate) fn key(&self) -> Key {
        (self.envelope.source.clone(), self.envelope.subject.clone())
    }
}

/// Source and key: what a number belongs to, within the aggregate of the subscription.
pub(crate) type Key = (String, String);

/// How far a consumer has come with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    /// The number of the last event that took effect, or was ignored, or is dead.
    pub(crate) last: i64,
    pub(crate) hold: Hold,
}

impl Position {
    /// Of a key that was never heard of.
    pub(crate) const START: Self = Self { last: 0, hold: Hold::Free };
}

/// Whether the next event of a key may take effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    /// It may.
    Free,
    /// Events of the key wait; what comes later waits behind them.
    Parked,
    /// A dead letter of the key must be dealt with first.
    Blocked,
}

/// Where events come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// From the broker.
    Queue,
    /// From the parking place: they are the first of their key, and their key's hold is theirs.
    Parked,
}

/// What has been found out about an event by trying it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ruling {
    /// Again after this pause.
    Retry(Duration),
    /// Never again, for this reason.
    Dead(&'static str),
}

/// What becomes of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// It has taken effect before.
    Duplicate,
    /// It is of full state, and it or a newer one of its key has taken effect before.
    Stale,
    /// It takes effect now.
    Apply,
    /// Nobody here handles its type: only the cursor moves.
    Ignore,
    /// It waits for its predecessor.
    ParkGap,
    /// It waits behind another event of its key.
    ParkBehind,
    /// It is what others wait for: it waits only until they are looked at, which is at once.
    ParkDue,
    /// It failed and waits for another attempt.
    ParkRetry(Duration),
    /// It is a dead letter, for this reason.
    Dead(&'static str),
}

impl Step {
    /// Whether the parking place of its key must be put in order after it.
    pub(crate) const fn unsettles(&self, origin: Origin) -> bool {
        match self {
            Self::Duplicate | Self::Stale | Self::Apply | Self::Ignore => {
                matches!(origin, Origin::Parked)
            }
            Self::ParkGap
            | Self::ParkBehind
            | Self::ParkDue
            | Self::ParkRetry(_)
            | Self::Dead(_) => true,
        }
    }
}

/// What becomes of the first parked event of a key when it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// Its time has not come.
    Later,
    /// Its predecessor has been waited for long enough.
    Lonely,
    /// It is tried, and those behind it.
    Try,
    /// It has been tried too often: it kills the processes that handle it.
    GiveUp,
}

/// Decides about the first parked event of a key, number `sequence`: whether it is `due`, how often it has been started, and how
/// often it may be.
pub(crate) fn look(
    position: Position,
    sequence: i64,
    due: bool,
    starts: i32,
    most_starts: i32,
) -> Look {
    if !due || position.hold == Hold::Blocked {
        Look::Later
    } else if sequence > position.last + 1 {
        Look::Lonely
    } else if starts > most_starts {
        Look::GiveUp
    } else {
        Look::Try
    }
}

/// Decides for each of `incoming`, in order, and moves `positions` along.
pub(crate) fn plan(
    positions: &mut HashMap<Key, Position>,
    incoming: &[Incoming],
    rulings: &HashMap<usize, Ruling>,
    origin: Origin,
    on_reject: OnReject,
    has_handler: impl Fn(&str) -> bool,
) -> Vec<Step> {
    if origin == Origin::Parked {
        for position in positions.values_mut().filter(|position| position.hold == Hold::Parked) {
            position.hold = Hold::Free;
        }
    }
    let step = |(index, one): (usize, &Incoming)| {
        let position = positions.entry(one.key()).or_insert(Position::START);
        let sequence = one.envelope.sequence;
        if sequence <= position.last {
            return Step::Duplicate;
        }
        let is_next = sequence == position.last + 1;
        if let (Some(Ruling::Dead(reason)), true) = (rulings.get(&index), is_next) {
            // What is known to be dead keeps nobody waiting, whatever else its key waits for.
            position.last = sequence;
            if on_reject == OnReject::BlockKey {
                position.hold = Hold::Blocked;
            }
            return Step::Dead(reason);
        }
        match position.hold {
            Hold::Free => {}
            Hold::Parked if is_next && origin == Origin::Queue => return Step::ParkDue,
            Hold::Parked | Hold::Blocked => return Step::ParkBehind,
        }
        if !is_next {
            position.hold = Hold::Parked;
            return match origin {
                Origin::Queue => Step::ParkGap,
                // It is parked already; when it is looked at again is decided with the rest of its key.
                Origin::Parked => Step::ParkBehind,
            };
        }
        if let Some(Ruling::Retry(pause)) = rulings.get(&index) {
            position.hold = Hold::Parked;
            return Step::ParkRetry(*pause);
        }
        position.last = sequence;
        if has_handler(&one.envelope.kind) { Step::Apply } else { Step::Ignore }
    };
    incoming.iter().enumerate().map(step).collect()
}

/// Events of one type that are handed to their handler together, as indices into what came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) kind: String,
    pub(crate) indices: Vec<usize>,
}

/// Gathers the events to be applied into as few runs as the order of each key allows: within a key, an event never stands
/// in an earlier run than the one before it.
pub(crate) fn runs(incoming: &[Incoming], steps: &[Step]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut last_run_of: HashMap<Key, usize> = HashMap::new();
    for (index, one) in incoming.iter().enumerate() {
        if steps[index] != Step::Apply {
            continue;
        }
        let earliest = last_run_of.get(&one.key()).copied().unwrap_or(0);
        let kind = &one.envelope.kind;
        let place = (earliest..runs.len()).find(|run| runs[*run].kind == *kind);
        let place = place.unwrap_or_else(|| {
            runs.push(Run { kind: kind.clone(), indices: Vec::new() });
            runs.len() - 1
        });
        runs[place].indices.push(index);
        last_run_of.insert(one.key(), place);
    }
    runs
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::HashMap;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::{Hold, Incoming, Key, Origin, Position, Ruling, Step, plan, runs};
    use crate::topology::OnReject;

    /// Event number `sequence` of the order `key`.
    pub(crate) fn incoming(key: &str, sequence: i64, kind: &str) -> Incoming {
        let json = format!(
            r#"{{"specversion":"1.0","id":"01920000-0000-7000-8000-000000000001","source":"order","type":"{kind}","subject":"{key}","time":"2026-11-22T08:00:00Z","sequence":"{sequence}","aggregate":"order","data":{{}}}}"#
        );
        Incoming {
            envelope: serde_json::from_str(&json).unwrap(),
            attempts: 0,
            causes: Vec::new(),
            route: (String::new(), String::new()),
        }
    }

    fn key(name: &str) -> Key {
        ("order".to_owned(), name.to_owned())
    }

    fn plain(positions: &mut HashMap<Key, Position>, events: &[Incoming]) -> Vec<Step> {
        plan(positions, events, &HashMap::new(), Origin::Queue, OnReject::BlockKey, |kind| {
            kind != "other"
        })
    }

    #[test]
    fn the_next_applies_and_what_came_before_is_a_duplicate() {
        let mut positions = HashMap::new();
        let events = [
            incoming("k", 1, "a"),
            incoming("k", 1, "a"),
            incoming("k", 2, "other"),
            incoming("k", 3, "a"),
        ];
        assert_eq!(
            plain(&mut positions, &events),
            [Step::Apply, Step::Duplicate, Step::Ignore, Step::Apply]
        );
        assert_eq!(positions[&key("k")], Position { last: 3, hold: Hold::Free });
    }

    #[test]
    fn a_gap_parks_what_follows_and_other_keys_go_on() {
        let mut positions = HashMap::new();
        let events = [
            incoming("k", 2, "a"),
            incoming("k", 3, "a"),
            incoming("l", 1, "a"),
            incoming("k", 1, "a"),
        ];
        let steps = [Step::ParkGap, Step::ParkBehind, Step::Apply, Step::ParkDue];
        assert_eq!(plain(&mut positions, &events), steps);
        assert_eq!(positions[&key("k")], Position { last: 0, hold: Hold::Parked });
    }

    #[test]
    fn the_parked_go_first_when_they_are_looked_at() {
        let mut positions = HashMap::from([(key("k"), Position { last: 0, hold: Hold::Parked })]);
        let events = [incoming("k", 1, "a"), incoming("k", 2, "a")];
        let steps = plan(
            &mut positions,
            &events,
            &HashMap::new(),
            Origin::Parked,
            OnReject::Continue,
            |_| true,
        );
        assert_eq!(steps, [Step::Apply, Step::Apply]);
    }

    #[test]
    fn what_is_parked_behind_a_retry_stays_behind_it() {
        let mut positions = HashMap::from([(key("k"), Position { last: 0, hold: Hold::Parked })]);
        let steps = plan(
            &mut positions,
            &[incoming("k", 2, "a")],
            &HashMap::new(),
            Origin::Parked,
            OnReject::Continue,
            |_| true,
        );
        assert_eq!(steps, [Step::ParkBehind]);
        assert_eq!(positions[&key("k")].hold, Hold::Parked);
    }

    #[test]
    fn what_is_known_to_be_dead_does_not_wait_behind_its_own_followers() {
        let mut positions = HashMap::from([(key("k"), Position { last: 0, hold: Hold::Parked })]);
        let rulings = HashMap::from([(0, Ruling::Dead("delivery_limit"))]);
        let events = [incoming("k", 1, "a")];
        let steps =
            plan(&mut positions, &events, &rulings, Origin::Queue, OnReject::Continue, |_| true);
        assert_eq!(steps, [Step::Dead("delivery_limit")]);
        assert_eq!(positions[&key("k")], Position { last: 1, hold: Hold::Parked });
    }

    #[test]
    fn a_retry_holds_back_its_key() {
        let mut positions = HashMap::new();
        let rulings = HashMap::from([(0, Ruling::Retry(Duration::ZERO))]);
        let events = [incoming("k", 1, "a"), incoming("k", 2, "a"), incoming("l", 1, "a")];
        let steps =
            plan(&mut positions, &events, &rulings, Origin::Queue, OnReject::Continue, |_| true);
        assert_eq!(steps, [Step::ParkRetry(Duration::ZERO), Step::ParkBehind, Step::Apply]);
        assert_eq!(positions[&key("k")].last, 0);
    }

    #[test]
    fn a_reject_blocks_its_key_or_lets_it_go_on() {
        let rulings = HashMap::from([(0, Ruling::Dead("bad"))]);
        let events = [incoming("k", 1, "a"), incoming("k", 2, "a")];
        let mut positions = HashMap::new();
        let steps =
            plan(&mut positions, &events, &rulings, Origin::Queue, OnReject::BlockKey, |_| true);
        assert_eq!(steps, [Step::Dead("bad"), Step::ParkBehind]);
        assert_eq!(positions[&key("k")], Position { last: 1, hold: Hold::Blocked });
        let mut positions = HashMap::new();
        let steps =
            plan(&mut positions, &events, &rulings, Origin::Queue, OnReject::Continue, |_| true);
        assert_eq!(steps, [Step::Dead("bad"), Step::Apply]);
    }

    #[test]
    fn runs_are_few_and_keep_the_order_of_a_key() {
        let events = [
            incoming("k", 1, "a"),
            incoming("l", 1, "b"),
            incoming("l", 2, "a"),
            incoming("k", 2, "b"),
            incoming("m", 1, "a"),
        ];
        let gathered = runs(&events, &vec![Step::Apply; events.len()]);
        let indices: Vec<_> = gathered.iter().map(|run| run.indices.clone()).collect();
        assert_eq!(indices, [vec![0, 4], vec![1, 3], vec![2]]);
    }

    proptest! {
        /// Whatever order copies of events arrive in, each number is applied at most once, without gaps, in order.
        #[test]
        fn numbers_are_applied_once_and_in_order(arrivals in prop::collection::vec((0u8..3, 1i64..6), 0..60)) {
            let mut positions = HashMap::new();
            let events: Vec<_> = arrivals.iter().map(|(key, n)| incoming(&key.to_string(), *n, "a")).collect();
            let steps = plain(&mut positions, &events);
            let mut applied: HashMap<Key, i64> = HashMap::new();
            for (event, step) in events.iter().zip(&steps) {
                if *step == Step::Apply {
                    let last = applied.entry(event.key()).or_insert(0);
                    prop_assert_eq!(event.envelope.sequence, *last + 1);
                    *last += 1;
                }
            }
            let gathered = runs(&events, &steps);
            let total: usize = gathered.iter().map(|run| run.indices.len()).sum();
            prop_assert_eq!(total, steps.iter().filter(|step| **step == Step::Apply).count());
        }
    }
}
