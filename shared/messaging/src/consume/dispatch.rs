//! The dispatch order: which of the buffered events form the next batch, without I/O.

use std::{collections::VecDeque, num::NonZeroU32, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use envelope::Priority;

/// How long an event may be buffered before it is dispatched although fresher ones are available. The broker
/// closes a channel that does not acknowledge a message for half an hour.
const MAX_BUFFERED: TimeDelta = TimeDelta::minutes(10);

/// The order in which a state subscription processes buffered events.
///
/// The order applies to the buffer only: the queue itself is first in, first out, and delivers up to 1,024
/// messages ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dispatch {
    /// First in, first out.
    Fifo,
    /// Events of [normal](Priority::Normal) priority overtake [bulk](Priority::Bulk) work. Both classes are
    /// first in, first out.
    PriorityClasses {
        /// While both classes wait, one bulk event follows this number of normal ones, so bulk work never
        /// starves.
        normal_per_bulk: NonZeroU32,
    },
    /// Last in, first out while the oldest buffered event was emitted longer than `deadline` ago, otherwise
    /// first in, first out. Under overload, fresh events are then processed in time, and only late ones
    /// become later. The age depends on the clocks of publisher and consumer.
    FreshestFirst {
        /// The age of an event that indicates overload.
        deadline: Duration,
    },
}

/// Buffered events that are not dispatched yet.
#[derive(Debug)]
pub(crate) struct Dispatcher<T> {
    dispatch: Dispatch,
    /// In the order of arrival, or of emission if freshness counts.
    normal: VecDeque<Waiting<T>>,
    /// Empty without priority classes.
    bulk: VecDeque<Waiting<T>>,
    /// The number of normal events dispatched since the last bulk event, while both waited.
    consecutive_normal: u32,
}

#[derive(Debug)]
struct Waiting<T> {
    emitted: DateTime<Utc>,
    received: DateTime<Utc>,
    item: T,
}

impl<T> Dispatcher<T> {
    pub(crate) const fn new(dispatch: Dispatch) -> Self {
        Self { dispatch, normal: VecDeque::new(), bulk: VecDeque::new(), consecutive_normal: 0 }
    }

    /// Adds an event that arrived `now`.
    pub(crate) fn push(
        &mut self,
        item: T,
        priority: Priority,
        emitted: DateTime<Utc>,
        now: DateTime<Utc>,
    ) {
        let waiting = Waiting { emitted, received: now, item };
        match (self.dispatch, priority) {
            (Dispatch::PriorityClasses { .. }, Priority::Bulk) => self.bulk.push_back(waiting),
            (Dispatch::Fifo | Dispatch::PriorityClasses { .. }, _) => {
                self.normal.push_back(waiting);
            }
            (Dispatch::FreshestFirst { .. }, _) => {
                // Events arrive almost in this order: a round of the relay publishes slot by slot.
                let index = self.normal.partition_point(|before| before.emitted <= emitted);
                self.normal.insert(index, waiting);
            }
        }
    }

    /// Takes the next batch: `limit` events, or all if there are fewer.
    pub(crate) fn take(&mut self, now: DateTime<Utc>, limit: usize) -> Vec<T> {
        match self.dispatch {
            Dispatch::Fifo => take_front(&mut self.normal, limit),
            Dispatch::PriorityClasses { normal_per_bulk } => {
                let next = || self.next_by_priority(normal_per_bulk.get());
                std::iter::from_fn(next).take(limit).collect()
            }
            Dispatch::FreshestFirst { deadline } => self.take_freshest(now, limit, deadline),
        }
    }

    fn next_by_priority(&mut self, normal_per_bulk: u32) -> Option<T> {
        let both_wait = !self.normal.is_empty() && !self.bulk.is_empty();
        let is_bulk_due = self.consecutive_normal >= normal_per_bulk;
        if both_wait && !is_bulk_due {
            self.consecutive_normal += 1;
        } else {
            self.consecutive_normal = 0;
        }
        let class = if self.normal.is_empty() || (both_wait && is_bulk_due) {
            &mut self.bulk
        } else {
            &mut self.normal
        };
        class.pop_front().map(|waiting| waiting.item)
    }

    fn take_freshest(&mut self, now: DateTime<Utc>, limit: usize, deadline: Duration) -> Vec<T> {
        let is_late =
            |oldest: &Waiting<T>| (now - oldest.emitted).to_std().is_ok_and(|age| age > deadline);
        if !self.normal.front().is_some_and(is_late) {
            return take_front(&mut self.normal, limit);
        }
        // Events buffered for too long get half of the batch, so there is room for fresh ones.
        let mut taken = Vec::new();
        let mut index = 0;
        while taken.len() < limit.div_ceil(2)
            && let Some(one) = self.normal.get(index)
        {
            if now - one.received > MAX_BUFFERED {
                taken.extend(self.normal.remove(index).map(|waiting| waiting.item));
            } else {
                index += 1;
            }
        }
        let fresh = self.normal.len().saturating_sub(limit - taken.len());
        taken.extend(self.normal.drain(fresh..).rev().map(|waiting| waiting.item));
        taken
    }
}

fn take_front<T>(waiting: &mut VecDeque<Waiting<T>>, limit: usize) -> Vec<T> {
    waiting.drain(..limit.min(waiting.len())).map(|waiting| waiting.item).collect()
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

    const fn priority_classes(normal_per_bulk: u32) -> Dispatch {
        Dispatch::PriorityClasses { normal_per_bulk: NonZeroU32::new(normal_per_bulk).unwrap() }
    }

    const FRESHEST: Dispatch = Dispatch::FreshestFirst { deadline: Duration::from_secs(5) };

    /// A dispatcher with these events, numbered from 0, each emitted and received at the given second.
    fn holding(dispatch: Dispatch, waiting: &[(Priority, i64)]) -> Dispatcher<usize> {
        let mut dispatcher = Dispatcher::new(dispatch);
        for (number, (priority, second)) in waiting.iter().enumerate() {
            dispatcher.push(number, *priority, at(*second), at(*second));
        }
        dispatcher
    }

    #[test]
    fn fifo_ignores_the_priority() {
        let mut dispatcher = holding(Dispatch::Fifo, &[(Bulk, 0), (Normal, 0), (Bulk, 0)]);
        assert_eq!(dispatcher.take(at(99), 2), [0, 1]);
        assert_eq!(dispatcher.take(at(99), 2), [2]);
    }

    #[test]
    fn normal_events_overtake_bulk_work_up_to_the_weight() {
        let waiting =
            [Bulk, Bulk, Bulk, Normal, Normal, Normal, Normal].map(|priority| (priority, 0));
        let mut dispatcher = holding(priority_classes(2), &waiting);
        assert_eq!(dispatcher.take(START, 4), [3, 4, 0, 5]);
        // The weight counts across batches.
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
        // The late events are gone: first in, first out again.
        dispatcher.push(5, Normal, at(8), at(8));
        dispatcher.push(6, Normal, at(9), at(9));
        assert_eq!(dispatcher.take(at(10), 2), [5, 6]);
    }

    #[test]
    fn freshness_depends_on_the_time_of_emission() {
        let mut dispatcher = Dispatcher::new(FRESHEST);
        for (number, emitted) in [(0, 3), (1, 1), (2, 2)] {
            dispatcher.push(number, Normal, at(emitted), at(4));
        }
        assert_eq!(dispatcher.take(at(9), 3), [0, 2, 1]);
    }

    #[test]
    fn the_oldest_events_are_not_buffered_for_ever() {
        let mut dispatcher = holding(FRESHEST, &[(Normal, 0); 6]);
        for number in 6..10 {
            dispatcher.push(number, Normal, at(601), at(601));
        }
        assert_eq!(dispatcher.take(at(601), 4), [0, 1, 9, 8]);
    }

    fn dispatches() -> impl Strategy<Value = Dispatch> {
        prop_oneof![Just(Dispatch::Fifo), (1u32..9).prop_map(priority_classes), Just(FRESHEST)]
    }

    proptest! {
        /// Whatever arrives and is taken in whatever order: each event is dispatched once, and a batch is as
        /// large as possible.
        #[test]
        fn no_event_is_lost_or_duplicated(
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

        /// Between two bulk events, and before the first, there are never more normal events than the weight;
        /// and within a class the order is kept.
        #[test]
        fn no_priority_class_starves(
            weight in 1u32..9,
            waiting in prop::collection::vec(any::<bool>(), 1..120),
            limit in 1usize..10,
        ) {
            let priority = |is_bulk: bool| if is_bulk { Bulk } else { Normal };
            let events: Vec<_> = waiting.iter().map(|is_bulk| (priority(*is_bulk), 0)).collect();
            let mut dispatcher = holding(priority_classes(weight), &events);
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
