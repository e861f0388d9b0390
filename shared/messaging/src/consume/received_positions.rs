//! Which messages of a queue have arrived, and which are missing.
//!
//! The broker keeps the order of a queue, and the messages of a slot have positions without gaps. So a position that is skipped is
//! missing, and the reminder of the last one shows the loss of those at the end. Positions decide nothing about events: their cursors
//! do, so a message that arrives twice takes effect once.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::time::Instant;

use super::position_ranges::PositionRanges;
use crate::message_position::{Absence, ArrivedPosition, MessagePosition, PositionRange, Purpose};

/// How long a missing message is waited for before its publisher is asked. After a crash of a consumer or a failover of the broker,
/// messages arrive again in another order.
const FIRST_DELAY: Duration = Duration::from_secs(2);

/// The longest delay between two requests about the same slot.
const MAX_DELAY: Duration = Duration::from_mins(1);

/// The most ranges in one request.
const MAX_RANGES: usize = 100;

/// The messages of one slot of a publisher.
pub(super) type SlotKey = (String, i16);

/// What has arrived, by publisher and slot.
#[derive(Debug, Default)]
pub(super) struct ReceivedPositions(BTreeMap<SlotKey, SlotPositions>);

#[derive(Debug)]
struct SlotPositions {
    history: i64,
    /// The first position that arrived.
    began: i64,
    /// The highest position that has arrived.
    received: i64,
    missing: PositionRanges,
    /// Positions of unacknowledged messages. They are stored as missing: if this process dies, they arrive again.
    open: BTreeSet<i64>,
    /// Whether there is something to ask the publisher: for missing messages, or whether it knows the highest position.
    is_in_doubt: bool,
    /// When to ask, and how often it was asked in vain.
    request_at: Option<Instant>,
    tries: u32,
    /// Whether what is stored differs.
    is_changed: bool,
}

/// What is stored of a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoredPositions {
    pub(super) publisher: String,
    pub(super) slot: i16,
    pub(super) history: i64,
    pub(super) began: i64,
    pub(super) received: i64,
    pub(super) missing: Vec<PositionRange>,
}

/// What an operator must know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Finding {
    /// These messages are lost: the publisher no longer has them.
    Lost { publisher: String, slot: i16, range: PositionRange },
    /// The publisher does not know these positions, or has begun a new history: its database has gone back.
    WentBack { publisher: String, slot: i16, range: PositionRange },
}

impl Finding {
    pub(super) fn publisher(&self) -> &str {
        let (Self::Lost { publisher, .. } | Self::WentBack { publisher, .. }) = self;
        publisher
    }
}

/// A request for a publisher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) publisher: String,
    pub(super) slot: i16,
    pub(super) history: i64,
    pub(super) ranges: Vec<PositionRange>,
}

impl ReceivedPositions {
    pub(super) fn load(stored: Vec<StoredPositions>, now: Instant) -> Self {
        let slot = |stored: StoredPositions| {
            let missing: PositionRanges = stored.missing.into_iter().collect();
            let is_missing = !missing.is_empty();
            let positions = SlotPositions {
                history: stored.history,
                began: stored.began,
                received: stored.received,
                missing,
                open: BTreeSet::new(),
                is_in_doubt: false,
                request_at: is_missing.then_some(now + FIRST_DELAY),
                tries: 0,
                is_changed: false,
            };
            ((stored.publisher, stored.slot), positions)
        };
        Self(stored.into_iter().map(slot).collect())
    }

    /// Records a position that has arrived.
    pub(super) fn arrive(&mut self, arrived: &ArrivedPosition, now: Instant) -> Option<Finding> {
        let ArrivedPosition { publisher, position, purpose, is_redelivered } = arrived;
        let MessagePosition { history, slot: slot_number, number } = *position;
        let key = (publisher.clone(), slot_number);
        if let Purpose::Absent { until, why } = *purpose {
            let slot = self.0.get_mut(&key).filter(|slot| slot.history == history)?;
            return slot.absent(key, PositionRange { first: number, last: until }, why);
        }
        // Before the first message that arrives, others may have been lost.
        let first = || SlotPositions::new(history, number, 0);
        let slot = self.0.entry(key.clone()).or_insert_with(first);
        let mut finding = None;
        if history > slot.history {
            let range = PositionRange { first: number, last: slot.received };
            if range.first <= range.last {
                finding = Some(Finding::WentBack { publisher: key.0, slot: key.1, range });
                *slot = SlotPositions::new(history, number, number - 1);
            }
            slot.history = history;
        }
        if history == slot.history {
            slot.arrive(number, *purpose, *is_redelivered, now);
        }
        finding
    }

    /// Records that a message is acknowledged.
    pub(super) fn finish(&mut self, arrived: &ArrivedPosition) {
        let key = (arrived.publisher.clone(), arrived.position.slot);
        if let Some(slot) = self.0.get_mut(&key)
            && slot.open.remove(&arrived.position.number)
        {
            slot.is_changed = true;
        }
    }

    /// What has changed since the last call. If it is not stored, call [`keep_changed`](Self::keep_changed).
    pub(super) fn take_changed(&mut self) -> Vec<StoredPositions> {
        let changed = self.0.iter_mut().filter(|(_, slot)| slot.is_changed);
        let stored = changed.map(|((publisher, number), slot)| {
            slot.is_changed = false;
            slot.stored(publisher, *number)
        });
        stored.collect()
    }

    /// Undoes [`take_changed`](Self::take_changed).
    pub(super) fn keep_changed(&mut self, positions: &[StoredPositions]) {
        for positions in positions {
            if let Some(slot) = self.0.get_mut(&(positions.publisher.clone(), positions.slot)) {
                slot.is_changed = true;
            }
        }
    }

    pub(super) fn is_changed(&self) -> bool {
        self.0.values().any(|slot| slot.is_changed)
    }

    /// The number of missing messages that were asked for in vain.
    pub(super) fn overdue(&self) -> u64 {
        let overdue = self.0.values().filter(|slot| slot.tries > 1);
        overdue.map(|slot| slot.missing.count()).fold(0, u64::saturating_add)
    }

    /// When the next request is due.
    pub(super) fn next_request(&self) -> Option<Instant> {
        self.0.values().filter_map(|slot| slot.request_at).min()
    }

    /// The requests that are due, to be sent now.
    pub(super) fn take_requests(&mut self, now: Instant) -> Vec<Request> {
        let due = self.0.iter_mut().filter(|(_, slot)| slot.request_at.is_some_and(|at| at <= now));
        due.map(|((publisher, number), slot)| Request {
            publisher: publisher.clone(),
            slot: *number,
            history: slot.history,
            ranges: slot.ask(now),
        })
        .collect()
    }
}

impl SlotPositions {
    /// Before the message `began` arrives.
    const fn new(history: i64, began: i64, received: i64) -> Self {
        Self {
            history,
            began,
            received,
            missing: PositionRanges::empty(),
            open: BTreeSet::new(),
            is_in_doubt: false,
            request_at: None,
            tries: 0,
            is_changed: true,
        }
    }

    fn arrive(&mut self, number: i64, purpose: Purpose, is_redelivered: bool, now: Instant) {
        self.open.insert(number);
        if number > self.received {
            self.missing.insert(PositionRange { first: self.received + 1, last: number - 1 });
            self.received = number;
            self.is_changed = true;
        } else if !self.missing.remove(PositionRange { first: number, last: number }).is_empty() {
            self.tries = 0;
            self.is_changed = true;
            if self.missing.is_empty() && !self.is_in_doubt {
                self.request_at = None;
            }
        } else {
            let is_surprise = match purpose {
                Purpose::New => !is_redelivered,
                // Nothing was published behind it, but something has arrived.
                Purpose::Reminder => number < self.received,
                Purpose::Again | Purpose::Absent { .. } => false,
            };
            self.is_in_doubt |= is_surprise;
        }
        if (self.is_in_doubt || !self.missing.is_empty()) && self.request_at.is_none() {
            self.request_at = Some(now + FIRST_DELAY);
        }
    }

    fn absent(
        &mut self,
        (publisher, slot): SlotKey,
        range: PositionRange,
        why: Absence,
    ) -> Option<Finding> {
        let removed = self.missing.remove(range);
        self.is_changed = true;
        self.tries = 0;
        match why {
            Absence::Unused => None,
            Absence::Expired => {
                let lost = removed.span().filter(|range| range.last > self.began)?;
                let range = PositionRange { first: lost.first.max(self.began + 1), ..lost };
                Some(Finding::Lost { publisher, slot, range })
            }
            Absence::Unknown => {
                let range = PositionRange { first: range.first, last: self.received };
                if range.first > range.last {
                    return None;
                }
                self.missing.remove(range);
                self.received = range.first - 1;
                Some(Finding::WentBack { publisher, slot, range })
            }
        }
    }

    fn ask(&mut self, now: Instant) -> Vec<PositionRange> {
        self.request_at = None;
        let mut ranges: Vec<PositionRange> = self.missing.iter().take(MAX_RANGES).collect();
        if !ranges.is_empty() {
            let delay = FIRST_DELAY * 2u32.saturating_pow(self.tries);
            self.tries += 1;
            self.request_at = Some(now + delay.min(MAX_DELAY));
        }
        if std::mem::take(&mut self.is_in_doubt) {
            ranges.push(PositionRange { first: self.received, last: self.received });
        }
        ranges
    }

    fn stored(&self, publisher: &str, slot: i16) -> StoredPositions {
        let mut missing = self.missing.clone();
        for open in &self.open {
            missing.insert(PositionRange { first: *open, last: *open });
        }
        StoredPositions {
            publisher: publisher.to_owned(),
            slot,
            history: self.history,
            began: self.began,
            received: self.received,
            missing: missing.iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Finding, ReceivedPositions, Request, StoredPositions};
    use crate::message_position::{
        Absence, ArrivedPosition, MessagePosition, PositionRange, Purpose,
    };

    const PUBLISHER: &str = "order";

    fn arrived(number: i64, purpose: Purpose) -> ArrivedPosition {
        ArrivedPosition {
            publisher: PUBLISHER.to_owned(),
            position: MessagePosition { history: 1, slot: 3, number },
            purpose,
            is_redelivered: false,
        }
    }

    fn range(first: i64, last: i64) -> PositionRange {
        PositionRange { first, last }
    }

    fn request(ranges: &[PositionRange]) -> Request {
        let (publisher, ranges) = (PUBLISHER.to_owned(), ranges.to_vec());
        Request { publisher, slot: 3, history: 1, ranges }
    }

    /// Messages arrive and are acknowledged.
    fn receive(positions: &mut ReceivedPositions, numbers: &[i64], now: Instant) {
        for number in numbers {
            let arrived = arrived(*number, Purpose::New);
            assert_eq!(positions.arrive(&arrived, now), None);
            positions.finish(&arrived);
        }
    }

    fn stored(positions: &mut ReceivedPositions) -> StoredPositions {
        positions.take_changed().pop().unwrap()
    }

    #[test]
    fn the_messages_before_the_first_are_asked_for() {
        let (mut positions, now) = (ReceivedPositions::default(), Instant::now());
        receive(&mut positions, &[41, 42], now);
        assert_eq!(stored(&mut positions).missing, [range(1, 40)]);
        let due = positions.next_request().unwrap();
        assert_eq!(positions.take_requests(due), [request(&[range(1, 40)])]);
        // Their loss is no loss of this subscriber.
        let expired = arrived(1, Purpose::Absent { until: 40, why: Absence::Expired });
        assert_eq!(positions.arrive(&expired, now), None);
        assert_eq!(stored(&mut positions).missing, []);
    }

    #[test]
    fn skipped_messages_are_asked_for_until_they_arrive() {
        let (mut positions, now) = (ReceivedPositions::default(), Instant::now());
        receive(&mut positions, &[1, 5], now);
        assert_eq!(positions.take_requests(now), []);
        let due = positions.next_request().unwrap();
        assert_eq!(positions.take_requests(due), [request(&[range(2, 4)])]);
        assert_eq!(positions.overdue(), 0);
        let again = positions.next_request().unwrap();
        assert_eq!(positions.take_requests(again), [request(&[range(2, 4)])]);
        assert_eq!(positions.overdue(), 3);
        receive(&mut positions, &[3, 2], now);
        assert_eq!(stored(&mut positions).missing, [range(4, 4)]);
        receive(&mut positions, &[4], now);
        assert_eq!((positions.next_request(), positions.overdue()), (None, 0));
    }

    #[test]
    fn a_reminder_shows_the_loss_of_the_last_message() {
        let (mut positions, now) = (ReceivedPositions::default(), Instant::now());
        receive(&mut positions, &[1], now);
        assert_eq!(positions.arrive(&arrived(3, Purpose::Reminder), now), None);
        let due = positions.next_request().unwrap();
        assert_eq!(positions.take_requests(due), [request(&[range(2, 2)])]);
    }

    #[test]
    fn a_reminder_of_what_has_arrived_asks_nothing() {
        let (mut positions, now) = (ReceivedPositions::default(), Instant::now());
        receive(&mut positions, &[1, 2], now);
        assert_eq!(positions.arrive(&arrived(2, Purpose::Reminder), now), None);
        assert_eq!(positions.next_request(), None);
    }

    #[test]
    fn unacknowledged_messages_are_stored_as_missing() {
        let (mut positions, now) = (ReceivedPositions::default(), Instant::now());
        receive(&mut positions, &[1], now);
        positions.arrive(&arrived(2, Purpose::New), now);
        let stored = stored(&mut positions);
        assert_eq!((stored.received, stored.missing.as_slice()), (2, [range(2, 2)].as_slice()));
        let mut restarted = ReceivedPositions::load(vec![stored], now);
        receive(&mut restarted, &[2], now);
        assert_eq!(restarted.next_request(), None);
    }

    #[test]
    fn what_the_publisher_no_longer_has_is_lost() {
        let (mut positions, now) = (ReceivedPositions::default(), Instant::now());
        receive(&mut positions, &[1, 9], now);
        let unused = arrived(2, Purpose::Absent { until: 2, why: Absence::Unused });
        assert_eq!(positions.arrive(&unused, now), None);
        let expired = arrived(3, Purpose::Absent { until: 8, why: Absence::Expired });
        let lost = Finding::Lost { publisher: PUBLISHER.to_owned(), slot: 3, range: range(3, 8) };
        assert_eq!(positions.arrive(&expired, now), Some(lost));
        assert_eq!(positions.arrive(&expired, now), None);
        assert_eq!(stored(&mut positions).missing, []);
    }

    #[test]
    fn a_position_that_was_not_given_out_is_not_believed() {
        let (mut positions, now) = (ReceivedPositions::default(), Instant::now());
        receive(&mut positions, &[1, i64::MAX], now);
        let due = positions.next_request().unwrap();
        assert_eq!(positions.take_requests(due), [request(&[range(2, i64::MAX - 1)])]);
        let unknown = arrived(2, Purpose::Absent { until: i64::MAX - 1, why: Absence::Unknown });
        let range = range(2, i64::MAX);
        let went_back = Finding::WentBack { publisher: PUBLISHER.to_owned(), slot: 3, range };
        assert_eq!(positions.arrive(&unknown, now), Some(went_back));
        receive(&mut positions, &[2, 3], now);
        let stored = stored(&mut positions);
        assert_eq!((stored.received, stored.missing), (3, vec![]));
    }

    #[test]
    fn a_position_that_is_used_twice_raises_a_question() {
        let (mut positions, now) = (ReceivedPositions::default(), Instant::now());
        receive(&mut positions, &[1, 2, 3], now);
        receive(&mut positions, &[2], now);
        let due = positions.next_request().unwrap();
        assert_eq!(positions.take_requests(due), [request(&[range(3, 3)])]);
        assert_eq!(positions.next_request(), None);
        // A redelivery, and a message that was asked for, are no surprise.
        let redelivered = ArrivedPosition { is_redelivered: true, ..arrived(2, Purpose::New) };
        positions.arrive(&redelivered, now);
        positions.arrive(&arrived(2, Purpose::Again), now);
        assert_eq!(positions.next_request(), None);
    }

    #[test]
    fn a_new_history_replaces_the_old_one() {
        let (mut positions, now) = (ReceivedPositions::default(), Instant::now());
        receive(&mut positions, &[1, 2, 3], now);
        let of_history = |history, number| {
            let mut arrived = arrived(number, Purpose::New);
            arrived.position.history = history;
            arrived
        };
        let range = range(3, 3);
        let went_back = Finding::WentBack { publisher: PUBLISHER.to_owned(), slot: 3, range };
        assert_eq!(positions.arrive(&of_history(2, 3), now), Some(went_back));
        assert_eq!(positions.arrive(&of_history(1, 4), now), None);
        // It continues where the old one ended: a gap is noticed.
        assert_eq!(positions.arrive(&of_history(3, 6), now), None);
        let due = positions.next_request().unwrap();
        let asked = positions.take_requests(due);
        assert_eq!(
            (asked[0].history, asked[0].ranges.as_slice()),
            (3, [super::PositionRange { first: 4, last: 5 }].as_slice())
        );
    }

    #[test]
    fn changes_are_kept_until_they_are_stored() {
        let (mut positions, now) = (ReceivedPositions::default(), Instant::now());
        receive(&mut positions, &[1], now);
        let changed = positions.take_changed();
        assert!(!positions.is_changed());
        positions.keep_changed(&changed);
        assert_eq!(positions.take_changed(), changed);
        assert_eq!(positions.next_request(), None);
        let later = now + Duration::from_hours(1);
        assert_eq!(positions.take_requests(later), []);
    }
}
