//! What the consumer decides about events of full state, without any I/O: the newest of a key wins, whatever order they come in.

use std::{cmp::Reverse, collections::HashMap};

use super::core::{Incoming, Key, Position, Ruling, Step};

/// Decides for each of `incoming`, and moves `positions` along.
///
/// A number above the last that took effect takes effect, and makes all below it stale; so of several of a key in hand only the
/// newest does. What fails, and what nobody handles, moves nothing: an older event may still take effect instead, and
/// is better than none.
pub(crate) fn plan_newest(
    positions: &mut HashMap<Key, Position>,
    incoming: &[Incoming],
    rulings: &HashMap<usize, Ruling>,
    has_handler: impl Fn(&str) -> bool,
) -> Vec<Step> {
    let mut steps = vec![Step::Stale; incoming.len()];
    let mut newest_first: Vec<usize> = (0..incoming.len()).collect();
    newest_first.sort_by_key(|index| Reverse(incoming[*index].envelope.sequence));
    for index in newest_first {
        let envelope = &incoming[index].envelope;
        let position = positions.get(&incoming[index].key()).copied().unwrap_or(Position::START);
        if envelope.sequence <= position.last {
            continue;
        }
        steps[index] = match rulings.get(&index) {
            _ if !has_handler(&envelope.kind) => Step::Ignore,
            Some(Ruling::Dead(reason)) => Step::Dead(reason),
            Some(Ruling::Retry(pause)) => Step::ParkRetry(*pause),
            None => {
                let moved = Position { last: envelope.sequence, ..position };
                positions.insert(incoming[index].key(), moved);
                Step::Apply
            }
        };
    }
    steps
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, time::Duration};

    use proptest::prelude::*;

    use super::{super::core::tests::incoming, Incoming, Key, Position, Ruling, Step, plan_newest};

    fn plan(
        positions: &mut HashMap<Key, Position>,
        events: &[Incoming],
        rulings: &[(usize, Ruling)],
    ) -> Vec<Step> {
        let rulings = rulings.iter().cloned().collect();
        plan_newest(positions, events, &rulings, |kind| kind != "other")
    }

    #[test]
    fn the_newest_in_hand_takes_effect_and_the_rest_is_stale() {
        let mut positions = HashMap::new();
        let events = [incoming("k", 3, "a"), incoming("k", 7, "a"), incoming("l", 2, "a")];
        assert_eq!(plan(&mut positions, &events, &[]), [Step::Stale, Step::Apply, Step::Apply]);
        let late = [incoming("k", 6, "a"), incoming("k", 7, "a"), incoming("k", 9, "a")];
        assert_eq!(plan(&mut positions, &late, &[]), [Step::Stale, Step::Stale, Step::Apply]);
    }

    #[test]
    fn what_fails_makes_nothing_stale_and_is_stale_when_it_is_overtaken() {
        let mut positions = HashMap::new();
        let events = [incoming("k", 3, "a"), incoming("k", 4, "a"), incoming("k", 5, "a")];
        let pause = Duration::from_secs(1);
        let rulings = [(1, Ruling::Dead("bad")), (2, Ruling::Retry(pause))];
        assert_eq!(
            plan(&mut positions, &events, &rulings),
            [Step::Apply, Step::Dead("bad"), Step::ParkRetry(pause)]
        );
        // The one that waits for its retry is still the newest; once a newer one has taken effect, it is not.
        assert_eq!(plan(&mut positions, &events[2..], &[]), [Step::Apply]);
        assert_eq!(plan(&mut positions, &events[1..2], &[]), [Step::Stale]);
    }

    #[test]
    fn what_nobody_handles_makes_nothing_stale() {
        let mut positions = HashMap::new();
        let events = [incoming("k", 9, "other"), incoming("k", 8, "a")];
        assert_eq!(plan(&mut positions, &events, &[]), [Step::Ignore, Step::Apply]);
    }

    proptest! {
        /// Whatever order copies come in, and however they are divided: effects on a key only ever become newer, and what stands in
        /// the end is the newest of all.
        #[test]
        fn the_newest_stands_in_the_end(
            arrivals in prop::collection::vec((0u8..3, 1i64..20), 1..60),
            size in 1usize..8,
        ) {
            let events: Vec<_> = arrivals.iter().map(|(key, n)| incoming(&key.to_string(), *n, "a")).collect();
            let mut positions = HashMap::new();
            let mut applied: HashMap<Key, i64> = HashMap::new();
            for batch in events.chunks(size) {
                let steps = plan(&mut positions, batch, &[]);
                for (event, _) in batch.iter().zip(&steps).filter(|(_, step)| **step == Step::Apply) {
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
