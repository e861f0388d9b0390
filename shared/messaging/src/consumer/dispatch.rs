//! Which of the events in hand make the next batch, without any I/O.

use std::{collections::VecDeque, num::NonZeroU32, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use envelope::Priority;

/// How long an event may be in hand before it is taken though fresher ones are there. The broker takes a consumer for dead that
/// has not acknowledged a message for half an hour.
const LONGEST_IN_HAND: TimeDelta = TimeDelta::minutes(10);

/// The order in which a subscription of full state takes what is in hand.
///
/// It reaches as far as what is in hand: the broker's queue itself stays first come, first served, and hands out up to 1,024
/// messages ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dispatch {
    /// First come, first served.
    Fifo,
    /// Events of [normal](Priority::Normal) priority overtake [bulk](Priority::Bulk) work; within both, first come, first served.
    PriorityClasses {
        /// While events of both wait, one of bulk work is taken after each so many of normal priority, so that it never starves.
        normal_per_bulk: NonZeroU32,
    },
    /// The freshest first while the oldest in hand was said longer ago than `deadline`, else first come, first served. Under
    /// overload the fresh ones are then on time, and only what is late anyway becomes later. Ages are told by the speaker's
    /// clock and our own.
    FreshestFirst {
        /// How old an event may become before there is overload.
        deadline: Duration,
    },
}

/// What is in hand and not yet taken.
#[derive(Debug)]
pub(crate) struct Dispatcher<T> {
    dispatch: Dispatch,
    /// In the order in which it came, or was said where freshness counts.
    normal: VecDeque<Waiting<T>>,
    /// Empty unless there are lanes.
    bulk: VecDeque<Waiting<T>>,
    /// How many of normal priority were taken since the last of bulk work, while both waited.
    normal_in_a_row: u32,
}

#[derive(Debug)]
struct Waiting<T> {
    said: DateTime<Utc>,
    came: DateTime<Utc>,
    what: T,
}

impl<T> Dispatcher<T> {
    pub(crate) const fn new(dispatch: Dispatch) -> Self {
        Self { dispatch, normal: VecDeque::new(), bulk: VecDeque::new(), normal_in_a_row: 0 }
    }

    /// Something came `now`.
    pub(crate) fn push(
        &mut self,
        what: T,
        priority: Priority,
        said: DateTime<Utc>,
        now: DateTime<Utc>,
    ) {
        let waiting = Waiting { said, came: now, what };
        match (self.dispatch, priority) {
            (Dispatch::PriorityClasses { .. }, Priority::Bulk) => self.bulk.push_back(waiting),
            (Dispatch::Fifo | Dispatch::PriorityClasses { .. }, _) => {
                self.normal.push_back(waiting);
            }
            (Dispatch::FreshestFirst { .. }, _) => {
                // They come almost in this order: a round of the relay sends slot after slot.
                let place = self.normal.partition_point(|before| before.said <= said);
                self.normal.insert(place, waiting);
            }
        }
    }

    /// Takes the next batch: up to `limit`, and that many if so many are in hand.
    pub(crate) fn take(&mut self, now: DateTime<Utc>, limit: usize) -> Vec<T> {
        match self.dispatch {
            Dispatch::Fifo => take_front(&mut self.normal, limit),
            Dispatch::PriorityClasses { normal_per_bulk } => {
                let next = || self.next_of_lanes(normal_per_bulk.get());
                std::iter::from_fn(next).take(limit).collect()
            }
            Dispatch::FreshestFirst { deadline } => self.take_freshest(now, limit, deadline),
        }
    }

    fn next_of_lanes(&mut self, normal_per_bulk: u32) -> Option<T> {
        let both_wait = !self.normal.is_empty() && !self.bulk.is_empty();
        let is_bulks_turn = self.normal_in_a_row >= normal_per_bulk;
        if both_wait && !is_bulks_turn {
            self.normal_in_a_row += 1;
        } else {
            self.normal_in_a_row = 0;
        }
        let lane = if self.normal.is_empty() || (both_wait && is_bulks_turn) {
            &mut self.bulk
        } else {
            &mut self.normal
        };
        lane.pop_front().map(|waiting| waiting.what)
    }

    fn take_freshest(&mut self, now: DateTime<Utc>, limit: usize, deadline: Duration) -> Vec<T> {
        let is_late =
            |oldest: &Waiting<T>| (now - oldest.said).to_std().is_ok_and(|age| age > deadline);
        if !self.normal.front().is_some_and(is_late) {
            return take_front(&mut self.normal, limit);
        }
        // What has been in hand for too long gets half of the batch, so that there is room for the fresh.
        let mut taken = Vec::new();
        let mut place = 0;
        while taken.len() < limit.div_ceil(2)
            && let Some(one) = self.normal.get(place)
        {
            if now - one.came > LONGEST_IN_HAND {
                taken.extend(self.normal.remove(place).map(|waiting| waiting.what));
            } else {
                place += 1;
            }
        }
        let fresh = self.normal.len().saturating_sub(limit - taken.len());
        taken.extend(self.normal.drain(fresh..).rev().map(|waiting| waiting.what));
        taken
    }
}

fn take_front<T>(waiting: &mut VecDeque<Waiting<T>>, limit: usize) -> Vec<T> {
    waiting.drain(..limit.min(waiting.len())).map(|waiting| waiting.what).collect()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, num::NonZeroU32, time::Duration};

    use chrono::{DateTime, TimeDelta, Utc};
    use envelope::Priority::{self, Bulk, Normal};
    use proptest::prelude::*;

    use super::{Dispatch, Dispatcher};

    const START: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn at(seconds: i64) -> DateTime<Utc> {
        START + TimeDelta::seconds(seconds)
    }

    const fn lanes(normal_per_bulk: u32) -> Dispatch {
        Dispatch::PriorityClasses { normal_per_bulk: NonZeroU32::new(normal_per_bulk).unwrap() }
    }

    const FRESHEST: Dispatch = Dispatch::FreshestFirst { deadline: Duration::from_secs(5) };

    /// A dispatcher that holds these, numbered from 0, each said and come at its second.
    fn holding(dispatch: Dispatch, waiting: &[(Priority, i64)]) -> Dispatcher<usize> {
        let mut dispatcher = Dispatcher::new(dispatch);
        for (number, (priority, second)) in waiting.iter().enumerate() {
            dispatcher.push(number, *priority, at(*second), at(*second));
        }
        dispatcher
    }

    #[test]
    fn first_come_first_served_knows_no_priority() {
        let mut dispatcher = holding(Dispatch::Fifo, &[(Bulk, 0), (Normal, 0), (Bulk, 0)]);
        assert_eq!(dispatcher.take(at(99), 2), [0, 1]);
        assert_eq!(dispatcher.take(at(99), 2), [2]);
    }

    #[test]
    fn an_edit_overtakes_bulk_work_and_bulk_work_gets_its_share() {
        let waiting = [Bulk, Bulk, Bulk, Normal, Normal, Normal, Normal].map(|lane| (lane, 0));
        let mut dispatcher = holding(lanes(2), &waiting);
        assert_eq!(dispatcher.take(START, 4), [3, 4, 0, 5]);
        // The share is counted across batches.
        assert_eq!(dispatcher.take(START, 4), [6, 1, 2]);
    }

    #[test]
    fn the_freshest_come_first_only_while_the_oldest_is_late() {
        let mut dispatcher =
            holding(FRESHEST, &[(Normal, 0), (Normal, 1), (Normal, 2), (Normal, 3)]);
        assert_eq!(dispatcher.take(at(5), 1), [0]);
        assert_eq!(dispatcher.take(at(7), 2), [3, 2]);
        dispatcher.push(4, Normal, at(7), at(7));
        assert_eq!(dispatcher.take(at(7), 1), [4]);
        assert_eq!(dispatcher.take(at(7), 1), [1]);
        // The late ones are gone: first come, first served again.
        dispatcher.push(5, Normal, at(8), at(8));
        dispatcher.push(6, Normal, at(9), at(9));
        assert_eq!(dispatcher.take(at(10), 2), [5, 6]);
    }

    #[test]
    fn it_is_what_was_said_last_that_is_fresh() {
        let mut dispatcher = Dispatcher::new(FRESHEST);
        for (number, said) in [(0, 3), (1, 1), (2, 2)] {
            dispatcher.push(number, Normal, at(said), at(4));
        }
        assert_eq!(dispatcher.take(at(9), 3), [0, 2, 1]);
    }

    #[test]
    fn the_oldest_are_not_in_hand_for_ever() {
        let mut dispatcher = holding(FRESHEST, &[(Normal, 0); 6]);
        for number in 6..10 {
            dispatcher.push(number, Normal, at(601), at(601));
        }
        assert_eq!(dispatcher.take(at(601), 4), [0, 1, 9, 8]);
    }

    fn dispatches() -> impl Strategy<Value = Dispatch> {
        prop_oneof![Just(Dispatch::Fifo), (1u32..9).prop_map(lanes), Just(FRESHEST)]
    }

    proptest! {
        /// Whatever comes and is taken in whatever order: each comes out once, and a batch is never smaller than it could be.
        #[test]
        fn nothing_is_lost_or_doubled(
            dispatch in dispatches(),
            steps in prop::collection::vec((0usize..6, any::<bool>(), 0i64..30, 0usize..6), 0..80),
        ) {
            let mut dispatcher = Dispatcher::new(dispatch);
            let (mut pushed, mut taken, mut clock) = (0, Vec::new(), 0);
            for (pushes, is_bulk, seconds, limit) in steps {
                clock += seconds;
                for _ in 0..pushes {
                    let priority = if is_bulk { Bulk } else { Normal };
                    dispatcher.push(pushed, priority, at(clock - seconds), at(clock));
                    pushed += 1;
                }
                let wanted = limit.min(pushed - taken.len());
                let batch = dispatcher.take(at(clock), limit);
                prop_assert_eq!(batch.len(), wanted);
                taken.extend(batch);
            }
            taken.extend(dispatcher.take(at(clock), usize::MAX));
            prop_assert_eq!(taken.len(), pushed);
            prop_assert_eq!(taken.into_iter().collect::<BTreeSet<_>>().len(), pushed);
        }

        /// However many events of normal priority come: between two of bulk work, and before the first, are never more than the
        /// weight says; and within a lane the order is kept.
        #[test]
        fn no_lane_starves(
            weight in 1u32..9,
            waiting in prop::collection::vec(any::<bool>(), 1..120),
            limit in 1usize..10,
        ) {
            let lane = |is_bulk: bool| if is_bulk { Bulk } else { Normal };
            let lanes_of: Vec<_> = waiting.iter().map(|is_bulk| (lane(*is_bulk), 0)).collect();
            let mut dispatcher = holding(lanes(weight), &lanes_of);
            let mut bulk_left = waiting.iter().filter(|is_bulk| **is_bulk).count();
            let (mut in_a_row, mut last) = (0, [None; 2]);
            loop {
                let batch = dispatcher.take(START, limit);
                if batch.is_empty() {
                    break;
                }
                for number in batch {
                    let is_bulk = waiting[number];
                    let before = last[usize::from(is_bulk)].replace(number);
                    prop_assert!(before < Some(number));
                    if is_bulk {
                        bulk_left -= 1;
                        in_a_row = 0;
                    } else if bulk_left > 0 {
                        in_a_row += 1;
                        prop_assert!(in_a_row <= weight);
                    }
                }
            }
        }
    }
}
