//! The decisions of a consumer of full state without I/O: the newest event of a key wins, in whatever order
//! events arrive.

use std::{cmp::Reverse, collections::HashMap};

use super::{
    plan::{Decision, Disposition, Position},
    received_event::{Key, ReceivedEvent},
    subscription::Reception,
};

/// Decides about each of `events` and updates `positions`.
///
/// An event with a number above the last applied one is applied and makes all older ones stale. So of several
/// events of a key in a batch, only the newest is applied. Failed events, ignored ones and those of an unknown
/// type do not move the position: an older event may be applied instead.
pub(crate) fn plan_latest_wins(
    positions: &mut HashMap<Key, Position>,
    events: &[ReceivedEvent],
    dispositions: &HashMap<usize, Disposition>,
    reception: impl Fn(&str) -> Reception,
) -> Vec<Decision> {
    let mut decisions = vec![Decision::Stale; events.len()];
    let mut newest_first: Vec<usize> = (0..events.len()).collect();
    newest_first.sort_by_key(|index| Reverse(events[*index].envelope.sequence));
    for index in newest_first {
        let envelope = &events[index].envelope;
        let position = positions.get(&events[index].key()).copied().unwrap_or(Position::START);
        if envelope.sequence <= position.last {
            continue;
        }
        decisions[index] = match (reception(&envelope.kind), dispositions.get(&index)) {
            (Reception::Ignored, _) => Decision::Ignore,
            (Reception::Unknown, _) => Decision::ParkUnknown,
            (_, Some(Disposition::DeadLetter(reason))) => Decision::DeadLetter(reason),
            (_, Some(Disposition::Retry(pause))) => Decision::ParkRetry(*pause),
            (Reception::Handled, None) => {
                let moved = Position { last: envelope.sequence, ..position };
                positions.insert(events[index].key(), moved);
                Decision::Apply
            }
        };
    }
    decisions
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, time::Duration};

    use proptest::prelude::*;

    use super::{
        super::received_event::tests::event, Decision, Disposition, Key, Position, ReceivedEvent,
        Reception, plan_latest_wins,
    };

    fn plan(
        positions: &mut HashMap<Key, Position>,
        events: &[ReceivedEvent],
        dispositions: &[(usize, Disposition)],
    ) -> Vec<Decision> {
        let dispositions = dispositions.iter().cloned().collect();
        plan_latest_wins(positions, events, &dispositions, |kind| match kind {
            "other" => Reception::Ignored,
            "new" => Reception::Unknown,
            _ => Reception::Handled,
        })
    }

    #[test]
    fn the_newest_event_applies_and_the_rest_is_stale() {
        let mut positions = HashMap::new();
        let events = [event("k", 3, "a"), event("k", 7, "a"), event("l", 2, "a")];
        assert_eq!(
            plan(&mut positions, &events, &[]),
            [Decision::Stale, Decision::Apply, Decision::Apply]
        );
        let late = [event("k", 6, "a"), event("k", 7, "a"), event("k", 9, "a")];
        assert_eq!(
            plan(&mut positions, &late, &[]),
            [Decision::Stale, Decision::Stale, Decision::Apply]
        );
    }

    #[test]
    fn a_failed_event_makes_nothing_stale() {
        let mut positions = HashMap::new();
        let events = [event("k", 3, "a"), event("k", 4, "a"), event("k", 5, "a")];
        let pause = Duration::from_secs(1);
        let dispositions = [(1, Disposition::DeadLetter("bad")), (2, Disposition::Retry(pause))];
        assert_eq!(
            plan(&mut positions, &events, &dispositions),
            [Decision::Apply, Decision::DeadLetter("bad"), Decision::ParkRetry(pause)]
        );
        // The event that waits for its retry is still the newest. Once a newer one is applied, it is stale.
        assert_eq!(plan(&mut positions, &events[2..], &[]), [Decision::Apply]);
        assert_eq!(plan(&mut positions, &events[1..2], &[]), [Decision::Stale]);
    }

    #[test]
    fn an_event_without_a_handler_makes_nothing_stale() {
        let mut positions = HashMap::new();
        let events = [event("k", 9, "other"), event("k", 8, "a"), event("k", 10, "new")];
        assert_eq!(
            plan(&mut positions, &events, &[]),
            [Decision::Ignore, Decision::Apply, Decision::ParkUnknown]
        );
        // A newer event overtakes the one that waits for a program that knows it.
        assert_eq!(plan(&mut positions, &[event("k", 11, "a")], &[]), [Decision::Apply]);
        assert_eq!(plan(&mut positions, &events[2..], &[]), [Decision::Stale]);
    }

    proptest! {
        /// In whatever order and batches copies arrive, the effects on a key only become newer, and the
        /// newest of all events wins.
        #[test]
        fn the_newest_event_wins(
            arrivals in prop::collection::vec((0u8..3, 1i64..20), 1..60),
            size in 1usize..8,
        ) {
            let events: Vec<_> = arrivals.iter().map(|(key, n)| event(&key.to_string(), *n, "a")).collect();
            let mut positions = HashMap::new();
            let mut applied: HashMap<Key, i64> = HashMap::new();
            for batch in events.chunks(size) {
                let decisions = plan(&mut positions, batch, &[]);
                for (event, _) in batch.iter().zip(&decisions).filter(|(_, decision)| **decision == Decision::Apply) {
                    let before = applied.insert(event.key(), event.envelope.sequence);
                    prop_assert!(before.is_none_or(|before| before < event.envelope.sequence));
                }
            }
            for event in &events {
                prop_assert!(applied[&event.key()] >= event.envelope.sequence);
            }
        }
    }
}
