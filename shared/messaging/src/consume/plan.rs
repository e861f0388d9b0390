//! The decisions of a sequenced consumer without I/O: what becomes of each event, and which events are passed
//! to which handler together.

use std::{collections::HashMap, time::Duration};

use super::{
    received_event::{Key, ReceivedEvent},
    subscription::{OnReject, Reception},
};

/// How far a consumer has processed a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    /// The sequence number of the last event that was applied, ignored or dead-lettered.
    pub(crate) last: i64,
    pub(crate) hold: Hold,
}

impl Position {
    /// The position of an unknown key.
    pub(crate) const START: Self = Self { last: 0, hold: Hold::Free };
}

/// Whether the next event of a key may be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    Free,
    /// Events of the key are parked; later ones queue behind them.
    Parked,
    /// An operator must resolve a dead letter of the key first.
    Blocked,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Queue,
    /// Parked events: the first of their key, which they hold themselves.
    Parked,
}

/// What an attempt revealed about an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Disposition {
    /// Retry after this delay.
    Retry(Duration),
    /// Never retry; the reason of the dead letter.
    DeadLetter(&'static str),
}

/// What becomes of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It was processed before.
    Duplicate,
    /// It was declared lost before it arrived: the key has continued without it.
    Late,
    /// It carries full state, and it or a newer event of its key was applied before.
    Stale,
    Apply,
    /// The subscription ignores its type: only the cursor moves.
    Ignore,
    /// The program does not know its type: parked until one does.
    ParkUnknown,
    /// Its predecessor has not arrived.
    ParkGap,
    /// An earlier event of its key is parked.
    ParkBehind,
    /// It is the event that parked events wait for: parked, and due at once.
    ParkDue,
    /// It failed and is retried after this delay.
    ParkRetry(Duration),
    /// The reason of the dead letter.
    DeadLetter(&'static str),
}

impl Decision {
    /// Whether the cursor moves past the event, and no dead letter of it remains.
    pub(crate) const fn is_applied(&self) -> bool {
        matches!(self, Self::Apply | Self::Ignore)
    }

    /// Whether the parked events of the key must be settled after this decision.
    pub(crate) const fn needs_settling(&self, origin: Origin) -> bool {
        match self {
            Self::Duplicate | Self::Late | Self::Stale | Self::Apply | Self::Ignore => {
                matches!(origin, Origin::Parked)
            }
            Self::ParkUnknown
            | Self::ParkGap
            | Self::ParkBehind
            | Self::ParkDue
            | Self::ParkRetry(_)
            | Self::DeadLetter(_) => true,
        }
    }
}

/// What becomes of the first parked event of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ParkedDecision {
    NotDue,
    /// Its predecessor did not arrive in time.
    MissingPredecessor,
    /// It is attempted, together with those behind it.
    Attempt,
    /// It was started too often: processes die over it.
    GiveUp,
}

/// Decides about the first parked event of a key: event number `sequence`, which was started `starts` times.
pub(crate) fn decide_parked(
    position: Position,
    sequence: i64,
    due: bool,
    starts: i32,
    max_starts: i32,
) -> ParkedDecision {
    if !due || position.hold == Hold::Blocked {
        ParkedDecision::NotDue
    } else if sequence > position.last + 1 {
        ParkedDecision::MissingPredecessor
    } else if starts > max_starts {
        ParkedDecision::GiveUp
    } else {
        ParkedDecision::Attempt
    }
}

/// Decides about each of `events`, in order, and updates `positions`.
pub(crate) fn plan_sequenced(
    positions: &mut HashMap<Key, Position>,
    events: &[ReceivedEvent],
    dispositions: &HashMap<usize, Disposition>,
    origin: Origin,
    on_reject: OnReject,
    reception: impl Fn(&str) -> Reception,
) -> Vec<Decision> {
    if origin == Origin::Parked {
        for position in positions.values_mut().filter(|position| position.hold == Hold::Parked) {
            position.hold = Hold::Free;
        }
    }
    let decide = |(index, event): (usize, &ReceivedEvent)| {
        let position = positions.entry(event.key()).or_insert(Position::START);
        let sequence = event.envelope.sequence;
        if sequence <= position.last {
            return Decision::Duplicate;
        }
        let is_next = sequence == position.last + 1;
        if let (Some(Disposition::DeadLetter(reason)), true) = (dispositions.get(&index), is_next) {
            // A dead letter does not wait behind the events that wait for it.
            position.last = sequence;
            if on_reject == OnReject::BlockKey {
                position.hold = Hold::Blocked;
            }
            return Decision::DeadLetter(reason);
        }
        match position.hold {
            Hold::Free => {}
            Hold::Parked if is_next && origin == Origin::Queue => return Decision::ParkDue,
            Hold::Parked | Hold::Blocked => return Decision::ParkBehind,
        }
        if !is_next {
            position.hold = Hold::Parked;
            return match origin {
                Origin::Queue => Decision::ParkGap,
                // It is already parked; `settle` decides when it is due.
                Origin::Parked => Decision::ParkBehind,
            };
        }
        if let Some(Disposition::Retry(pause)) = dispositions.get(&index) {
            position.hold = Hold::Parked;
            return Decision::ParkRetry(*pause);
        }
        let decision = match reception(&event.envelope.kind) {
            Reception::Handled => Decision::Apply,
            Reception::Ignored => Decision::Ignore,
            Reception::Unknown => {
                position.hold = Hold::Parked;
                return Decision::ParkUnknown;
            }
        };
        position.last = sequence;
        decision
    };
    events.iter().enumerate().map(decide).collect()
}

/// Events of one type that are passed to their handler together, as indices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HandlerCall {
    pub(crate) kind: String,
    pub(crate) indices: Vec<usize>,
}

/// Groups the events to apply into as few handler calls as the order of each key permits: within a key, no
/// event is in an earlier call than its predecessor.
pub(crate) fn handler_calls(events: &[ReceivedEvent], decisions: &[Decision]) -> Vec<HandlerCall> {
    let mut calls: Vec<HandlerCall> = Vec::new();
    let mut last_call_of: HashMap<Key, usize> = HashMap::new();
    for (index, event) in events.iter().enumerate() {
        if decisions[index] != Decision::Apply {
            continue;
        }
        let earliest = last_call_of.get(&event.key()).copied().unwrap_or(0);
        let kind = &event.envelope.kind;
        let call = (earliest..calls.len()).find(|call| calls[*call].kind == *kind);
        let call = call.unwrap_or_else(|| {
            calls.push(HandlerCall { kind: kind.clone(), indices: Vec::new() });
            calls.len() - 1
        });
        calls[call].indices.push(index);
        last_call_of.insert(event.key(), call);
    }
    calls
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, time::Duration};

    use proptest::prelude::*;

    use super::{Decision, Disposition, Hold, Origin, Position, handler_calls, plan_sequenced};
    use crate::consume::{
        received_event::{Key, ReceivedEvent, tests::event},
        subscription::{OnReject, Reception},
    };

    fn key(name: &str) -> Key {
        ("order".to_owned(), name.to_owned())
    }

    fn plan(positions: &mut HashMap<Key, Position>, events: &[ReceivedEvent]) -> Vec<Decision> {
        plan_sequenced(
            positions,
            events,
            &HashMap::new(),
            Origin::Queue,
            OnReject::BlockKey,
            reception,
        )
    }

    fn reception(kind: &str) -> Reception {
        match kind {
            "other" => Reception::Ignored,
            "new" => Reception::Unknown,
            _ => Reception::Handled,
        }
    }

    #[test]
    fn the_next_event_applies_and_older_ones_are_duplicates() {
        let mut positions = HashMap::new();
        let events =
            [event("k", 1, "a"), event("k", 1, "a"), event("k", 2, "other"), event("k", 3, "a")];
        assert_eq!(
            plan(&mut positions, &events),
            [Decision::Apply, Decision::Duplicate, Decision::Ignore, Decision::Apply]
        );
        assert_eq!(positions[&key("k")], Position { last: 3, hold: Hold::Free });
    }

    #[test]
    fn a_gap_parks_later_events_of_its_key_only() {
        let mut positions = HashMap::new();
        let events =
            [event("k", 2, "a"), event("k", 3, "a"), event("l", 1, "a"), event("k", 1, "a")];
        let expected =
            [Decision::ParkGap, Decision::ParkBehind, Decision::Apply, Decision::ParkDue];
        assert_eq!(plan(&mut positions, &events), expected);
        assert_eq!(positions[&key("k")], Position { last: 0, hold: Hold::Parked });
    }

    #[test]
    fn an_event_of_an_unknown_type_holds_its_key_only() {
        let mut positions = HashMap::new();
        let events =
            [event("k", 1, "new"), event("k", 2, "a"), event("k", 3, "new"), event("l", 1, "a")];
        let expected =
            [Decision::ParkUnknown, Decision::ParkBehind, Decision::ParkBehind, Decision::Apply];
        assert_eq!(plan(&mut positions, &events), expected);
        assert_eq!(positions[&key("k")], Position { last: 0, hold: Hold::Parked });
        // The next version of the program knows the type.
        let decisions = plan_sequenced(
            &mut positions,
            &events[..3],
            &HashMap::new(),
            Origin::Parked,
            OnReject::BlockKey,
            |_| Reception::Handled,
        );
        assert_eq!(decisions, [Decision::Apply, Decision::Apply, Decision::Apply]);
    }

    #[test]
    fn parked_events_apply_when_they_are_due() {
        let mut positions = HashMap::from([(key("k"), Position { last: 0, hold: Hold::Parked })]);
        let events = [event("k", 1, "a"), event("k", 2, "a")];
        let decisions = plan_sequenced(
            &mut positions,
            &events,
            &HashMap::new(),
            Origin::Parked,
            OnReject::Continue,
            reception,
        );
        assert_eq!(decisions, [Decision::Apply, Decision::Apply]);
    }

    #[test]
    fn an_event_parked_behind_a_retry_stays_parked() {
        let mut positions = HashMap::from([(key("k"), Position { last: 0, hold: Hold::Parked })]);
        let decisions = plan_sequenced(
            &mut positions,
            &[event("k", 2, "a")],
            &HashMap::new(),
            Origin::Parked,
            OnReject::Continue,
            reception,
        );
        assert_eq!(decisions, [Decision::ParkBehind]);
        assert_eq!(positions[&key("k")].hold, Hold::Parked);
    }

    #[test]
    fn a_dead_event_does_not_wait_behind_its_followers() {
        let mut positions = HashMap::from([(key("k"), Position { last: 0, hold: Hold::Parked })]);
        let dispositions = HashMap::from([(0, Disposition::DeadLetter("delivery_limit"))]);
        let events = [event("k", 1, "a")];
        let decisions = plan_sequenced(
            &mut positions,
            &events,
            &dispositions,
            Origin::Queue,
            OnReject::Continue,
            reception,
        );
        assert_eq!(decisions, [Decision::DeadLetter("delivery_limit")]);
        assert_eq!(positions[&key("k")], Position { last: 1, hold: Hold::Parked });
    }

    #[test]
    fn a_retry_holds_its_key() {
        let mut positions = HashMap::new();
        let dispositions = HashMap::from([(0, Disposition::Retry(Duration::ZERO))]);
        let events = [event("k", 1, "a"), event("k", 2, "a"), event("l", 1, "a")];
        let decisions = plan_sequenced(
            &mut positions,
            &events,
            &dispositions,
            Origin::Queue,
            OnReject::Continue,
            reception,
        );
        assert_eq!(
            decisions,
            [Decision::ParkRetry(Duration::ZERO), Decision::ParkBehind, Decision::Apply]
        );
        assert_eq!(positions[&key("k")].last, 0);
    }

    #[test]
    fn a_reject_blocks_its_key_or_continues() {
        let dispositions = HashMap::from([(0, Disposition::DeadLetter("bad"))]);
        let events = [event("k", 1, "a"), event("k", 2, "a")];
        let mut positions = HashMap::new();
        let decisions = plan_sequenced(
            &mut positions,
            &events,
            &dispositions,
            Origin::Queue,
            OnReject::BlockKey,
            reception,
        );
        assert_eq!(decisions, [Decision::DeadLetter("bad"), Decision::ParkBehind]);
        assert_eq!(positions[&key("k")], Position { last: 1, hold: Hold::Blocked });
        let mut positions = HashMap::new();
        let decisions = plan_sequenced(
            &mut positions,
            &events,
            &dispositions,
            Origin::Queue,
            OnReject::Continue,
            reception,
        );
        assert_eq!(decisions, [Decision::DeadLetter("bad"), Decision::Apply]);
    }

    #[test]
    fn handler_calls_are_few_and_keep_the_order_of_a_key() {
        let events = [
            event("k", 1, "a"),
            event("l", 1, "b"),
            event("l", 2, "a"),
            event("k", 2, "b"),
            event("m", 1, "a"),
        ];
        let calls = handler_calls(&events, &vec![Decision::Apply; events.len()]);
        let indices: Vec<_> = calls.iter().map(|call| call.indices.clone()).collect();
        assert_eq!(indices, [vec![0, 4], vec![1, 3], vec![2]]);
    }

    proptest! {
        /// In whatever order copies of events arrive, each number is applied at most once, in order, without
        /// gaps.
        #[test]
        fn numbers_are_applied_once_and_in_order(arrivals in prop::collection::vec((0u8..3, 1i64..6), 0..60)) {
            let mut positions = HashMap::new();
            let events: Vec<_> = arrivals.iter().map(|(key, n)| event(&key.to_string(), *n, "a")).collect();
            let decisions = plan(&mut positions, &events);
            let mut applied: HashMap<Key, i64> = HashMap::new();
            for (event, decision) in events.iter().zip(&decisions) {
                if *decision == Decision::Apply {
                    let last = applied.entry(event.key()).or_insert(0);
                    prop_assert_eq!(event.envelope.sequence, *last + 1);
                    *last += 1;
                }
            }
            let calls = handler_calls(&events, &decisions);
            let total: usize = calls.iter().map(|call| call.indices.len()).sum();
            prop_assert_eq!(total, decisions.iter().filter(|decision| **decision == Decision::Apply).count());
        }
    }
}
