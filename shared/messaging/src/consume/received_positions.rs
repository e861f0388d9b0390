//! Which messages of a queue have arrived, and which are missing.
//!
//! The broker keeps the order of a queue, and the messages of a slot have positions without gaps. So a position that is skipped is
//! missing, and the reminder of the last one shows the loss of those at the end. Positions decide nothing about events: their cursors
//! do, so a message that arrives twice takes effect once.
//!
//! While the number of slot groups changes, the messages of a slot are in two queues, whose consumers store one row: each joins it with
//! what it knows. A message is missing only if it has arrived in neither.

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
pub(crate) type SlotKey = (String, i16);

/// What has arrived, by publisher and slot.
#[derive(Debug, Default)]
pub(crate) struct ReceivedPositions {
    slots: BTreeMap<SlotKey, SlotPositions>,
    roles: BTreeMap<i16, SlotRole>,
}

/// What the consumer of a queue does about a slot.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SlotRole {
    /// Whether it asks for missing messages.
    pub(crate) asks: bool,
    /// Whether messages of the slot may be in another queue as well.
    pub(crate) is_shared: bool,
}

impl Default for SlotRole {
    fn default() -> Self {
        Self { asks: true, is_shared: false }
    }
}

#[derive(Debug)]
struct SlotPositions {
    history: i64,
    /// The first position that arrived.
    began: i64,
    /// The highest position that has arrived.
    received: i64,
    /// The highest one that has arrived in this queue, as far as it is known. In a queue the order is kept.
    seen: i64,
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
    /// What this consumer has read or written last.
    base: Option<StoredPositions>,
}

/// What is stored of a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredPositions {
    pub(crate) publisher: String,
    pub(crate) slot: i16,
    pub(crate) history: i64,
    pub(crate) began: i64,
    pub(crate) received: i64,
    pub(crate) missing: Vec<PositionRange>,
}

/// What an operator must know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Finding {
    /// These messages are lost: the publisher no longer has them.
    Lost { publisher: String, slot: i16, range: PositionRange },
    /// The publisher does not know these positions, or has begun a new history: its database has gone back.
    WentBack { publisher: String, slot: i16, range: PositionRange },
}

impl Finding {
    pub(crate) fn publisher(&self) -> &str {
        let (Self::Lost { publisher, .. } | Self::WentBack { publisher, .. }) = self;
        publisher
    }
}

/// A request for a publisher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) publisher: String,
    pub(crate) slot: i16,
    pub(crate) history: i64,
    pub(crate) ranges: Vec<PositionRange>,
}

impl ReceivedPositions {
    pub(crate) fn load(
        stored: Vec<StoredPositions>,
        roles: BTreeMap<i16, SlotRole>,
        now: Instant,
    ) -> Self {
        let slot = |stored: StoredPositions| {
            let is_shared = roles.get(&stored.slot).is_some_and(|role| role.is_shared);
            let key = (stored.publisher.clone(), stored.slot);
            (key, SlotPositions::load(stored, is_shared, now))
        };
        Self { slots: stored.into_iter().map(slot).collect(), roles }
    }

    fn role(&self, slot: i16) -> SlotRole {
        self.roles.get(&slot).copied().unwrap_or_default()
    }

    /// Records a position that has arrived.
    pub(crate) fn arrive(&mut self, arrived: &ArrivedPosition, now: Instant) -> Option<Finding> {
        let ArrivedPosition { publisher, position, purpose, is_redelivered } = arrived;
        let MessagePosition { history, slot: slot_number, number } = *position;
        let key = (publisher.clone(), slot_number);
        if let Purpose::Absent { until, why } = *purpose {
            let slot = self.slots.get_mut(&key).filter(|slot| slot.history == history)?;
            return slot.absent(key, PositionRange { first: number, last: until }, why);
        }
        // Before the first message that arrives, others may have been lost.
        let first = || SlotPositions::new(history, number, 0);
        let slot = self.slots.entry(key.clone()).or_insert_with(first);
        let mut finding = None;
        // What an operator publishes again may be older than the history.
        if history > slot.history && *purpose != Purpose::Again {
            // The last message that the publisher knows may be the last one that has arrived.
            let first = if *purpose == Purpose::Reminder { number + 1 } else { number };
            let range = PositionRange { first, last: slot.received };
            if range.first <= range.last {
                finding = Some(Finding::WentBack { publisher: key.0, slot: key.1, range });
                slot.go_back(first);
            }
            slot.history = history;
        }
        if history == slot.history || *purpose == Purpose::Again {
            slot.arrive(number, *purpose, *is_redelivered, now);
        }
        finding
    }

    /// Records that a message is acknowledged.
    pub(crate) fn finish(&mut self, arrived: &ArrivedPosition) {
        let key = (arrived.publisher.clone(), arrived.position.slot);
        if let Some(slot) = self.slots.get_mut(&key)
            && slot.open.remove(&arrived.position.number)
        {
            slot.is_changed = true;
        }
    }

    /// What has changed since the last call. If it is not stored, call [`keep_changed`](Self::keep_changed).
    pub(crate) fn take_changed(&mut self) -> Vec<StoredPositions> {
        let changed = self.slots.iter_mut().filter(|(_, slot)| slot.is_changed);
        let stored = changed.map(|((publisher, number), slot)| {
            slot.is_changed = false;
            slot.stored(publisher, *number)
        });
        stored.collect()
    }

    /// Undoes [`take_changed`](Self::take_changed).
    pub(crate) fn keep_changed(&mut self, positions: &[StoredPositions]) {
        for positions in positions {
            if let Some(slot) = self.slots.get_mut(&(positions.publisher.clone(), positions.slot)) {
                slot.is_changed = true;
            }
        }
    }

    pub(crate) fn is_changed(&self) -> bool {
        self.slots.values().any(|slot| slot.is_changed)
    }

    /// The slots to compare with what is stored: those that have changed, or also those in which something is missing.
    pub(crate) fn to_compare(&self, with_missing: bool) -> Vec<SlotKey> {
        let is_due = |(_, slot): &(&SlotKey, &SlotPositions)| {
            slot.is_changed || (with_missing && !slot.missing.is_empty())
        };
        self.slots.iter().filter(is_due).map(|(key, _)| key.clone()).collect()
    }

    /// Joins what is stored, which another consumer may have written.
    pub(crate) fn join(&mut self, stored: Vec<StoredPositions>, now: Instant) {
        for row in stored {
            if let Some(slot) = self.slots.get_mut(&(row.publisher.clone(), row.slot)) {
                slot.join(row, now);
            }
        }
    }

    /// Records that these are stored.
    pub(crate) fn stored(&mut self, positions: Vec<StoredPositions>) {
        for positions in positions {
            if let Some(slot) = self.slots.get_mut(&(positions.publisher.clone(), positions.slot)) {
                slot.base = Some(positions);
            }
        }
    }

    /// The shared slots with a request that is due.
    pub(crate) fn due_shared(&self, now: Instant) -> BTreeSet<i16> {
        let is_due = |(key, slot): &(&SlotKey, &SlotPositions)| {
            let SlotRole { asks, is_shared } = self.role(key.1);
            asks && is_shared && slot.request_at.is_some_and(|at| at <= now)
        };
        self.slots.iter().filter(is_due).map(|(key, _)| key.1).collect()
    }

    /// Whether a request is due.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.next_request().is_some_and(|at| at <= now)
    }

    /// Asks later about these slots.
    pub(crate) fn postpone(&mut self, slots: &BTreeSet<i16>, now: Instant) {
        for (_, slot) in self.slots.iter_mut().filter(|(key, _)| slots.contains(&key.1)) {
            slot.request_at = slot.request_at.map(|at| at.max(now + FIRST_DELAY));
        }
    }

    /// How many messages in front of these are missing that may be in another queue, by slot.
    pub(crate) fn missing_before(&self, arrived: &[ArrivedPosition]) -> BTreeMap<SlotKey, u64> {
        let missing = |arrived: &ArrivedPosition| {
            let key = (arrived.publisher.clone(), arrived.position.slot);
            let slot = self.slots.get(&key).filter(|_| self.role(key.1).is_shared)?;
            let first = slot.missing.first()?;
            (first < arrived.position.number).then(|| (key, slot.missing.count()))
        };
        arrived.iter().filter_map(missing).collect()
    }

    /// The number of missing messages that were asked for in vain.
    pub(crate) fn overdue(&self) -> u64 {
        let overdue = self.slots.values().filter(|slot| slot.tries > 1);
        overdue.map(|slot| slot.missing.count()).fold(0, u64::saturating_add)
    }

    /// When the next request is due.
    pub(crate) fn next_request(&self) -> Option<Instant> {
        let asked = self.slots.iter().filter(|(key, _)| self.role(key.1).asks);
        asked.filter_map(|(_, slot)| slot.request_at).min()
    }

    /// The requests that are due, to be sent now.
    pub(crate) fn take_requests(&mut self, now: Instant) -> Vec<Request> {
        let Self { slots, roles } = self;
        let asks = |slot: i16| roles.get(&slot).copied().unwrap_or_default().asks;
        let due = slots
            .iter_mut()
            .filter(|(key, slot)| asks(key.1) && slot.request_at.is_some_and(|at| at <= now));
        let requests = due.map(|((publisher, number), slot)| Request {
            publisher: publisher.clone(),
            slot: *number,
            history: slot.history,
            ranges: slot.ask(now),
        });
        // The publisher may have answered meanwhile.
        requests.filter(|request| !request.ranges.is_empty()).collect()
    }
}

impl SlotPositions {
    /// Before the message `began` arrives.
    const fn new(history: i64, began: i64, received: i64) -> Self {
        Self {
            history,
            began,
            received,
            seen: received,
            missing: PositionRanges::empty(),
            open: BTreeSet::new(),
            is_in_doubt: false,
            request_at: None,
            tries: 0,
            is_changed: true,
            base: None,
        }
    }

    fn load(stored: StoredPositions, is_shared: bool, now: Instant) -> Self {
        let missing: PositionRanges = stored.missing.iter().copied().collect();
        let is_missing = !missing.is_empty();
        Self {
            history: stored.history,
            began: stored.began,
            received: stored.received,
            // The highest one may have arrived in another queue.
            seen: if is_shared { 0 } else { stored.received },
            missing,
            open: BTreeSet::new(),
            is_in_doubt: false,
            request_at: is_missing.then_some(now + FIRST_DELAY),
            tries: 0,
            is_changed: false,
            base: Some(stored),
        }
    }

    /// Joins what is stored. It wins if it is of a newer history, or if the other consumer has learnt that positions were not given out.
    fn join(&mut self, row: StoredPositions, now: Instant) {
        if self.base.as_ref() == Some(&row) || row.history < self.history {
            return;
        }
        let base = self.base.as_ref().filter(|base| base.history == row.history);
        let was_lowered = base.is_some_and(|base| row.received < base.received);
        let theirs: PositionRanges = row.missing.iter().copied().collect();
        if row.history > self.history || was_lowered {
            (self.history, self.began, self.received) = (row.history, row.began, row.received);
            (self.missing, self.seen) = (theirs, self.seen.min(row.received));
            self.is_in_doubt = false;
        } else {
            let (mut ours, mut theirs) = (self.missing.clone(), theirs);
            if self.received < row.received {
                ours.insert(PositionRange { first: self.received + 1, last: row.received });
            } else if row.received < self.received {
                theirs.insert(PositionRange { first: row.received + 1, last: self.received });
            }
            self.missing = ours.intersection(&theirs);
            self.received = self.received.max(row.received);
            self.began = self.began.min(row.began);
        }
        self.base = Some(row);
        self.is_changed = true;
        if self.missing.is_empty() && !self.is_in_doubt {
            (self.request_at, self.tries) = (None, 0);
        } else if self.request_at.is_none() {
            self.request_at = Some(now + FIRST_DELAY);
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
                Purpose::New => !is_redelivered && number <= self.seen,
                // Nothing was published behind it, but something has arrived.
                Purpose::Reminder => number < self.seen,
                Purpose::Again | Purpose::Absent { .. } => false,
            };
            self.is_in_doubt |= is_surprise;
        }
        self.seen = self.seen.max(number);
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
                self.go_back(range.first);
                Some(Finding::WentBack { publisher, slot, range })
            }
        }
    }

    /// The positions from `first` are given out again. Earlier ones that are missing stay so.
    fn go_back(&mut self, first: i64) {
        self.missing.remove(PositionRange { first, last: i64::MAX });
        self.received = first - 1;
        self.seen = self.seen.min(self.received);
        self.is_in_doubt = false;
        self.is_changed = true;
    }

    fn ask(&mut self, now: Instant) -> Vec<PositionRange> {
        self.request_at = None;
        let parts = self.missing.iter().flat_map(|range| split(range, self.began));
        let mut ranges: Vec<PositionRange> = parts.take(MAX_RANGES).collect();
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

/// The parts of a range before, at and behind the first message that arrived. A publisher whose log has lost its beginning answers a range
/// from position 1 as a whole: who asks for it has received nothing.
fn split(range: PositionRange, began: i64) -> impl Iterator<Item = PositionRange> {
    let PositionRange { first, last } = range;
    let before = PositionRange { first, last: last.min(began - 1) };
    let at = PositionRange { first: first.max(began), last: last.min(began) };
    let behind = PositionRange { first: first.max(began + 1), last };
    [before, at, behind].into_iter().filter(|part| part.first <= part.last)
}

#[cfg(test)]
mod tests {
    use std::{
        collections::{BTreeMap, BTreeSet},
        time::Duration,
    };

    use proptest::prelude::*;
    use tokio::time::Instant;

    use super::{Finding, ReceivedPositions, Request, SlotRole, StoredPositions};
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
        let mut restarted = ReceivedPositions::load(vec![stored], BTreeMap::new(), now);
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
    fn messages_behind_the_first_are_asked_for_apart() {
        let (mut positions, now) = (ReceivedPositions::default(), Instant::now());
        positions.arrive(&arrived(2, Purpose::New), now);
        positions.arrive(&arrived(5, Purpose::New), now);
        // The process dies before it acknowledges them.
        let stored = stored(&mut positions);
        assert_eq!(stored.missing, [range(1, 5)]);
        let mut restarted = ReceivedPositions::load(vec![stored], BTreeMap::new(), now);
        let due = restarted.next_request().unwrap();
        let asked = request(&[range(1, 1), range(2, 2), range(3, 5)]);
        assert_eq!(restarted.take_requests(due), [asked]);
    }

    #[test]
    fn a_new_history_forgets_no_missing_message() {
        let (mut positions, now) = (ReceivedPositions::default(), Instant::now());
        receive(&mut positions, &[1, 3, 4, 5], now);
        let mut renewed = arrived(4, Purpose::New);
        renewed.position.history = 2;
        let went_back = positions.arrive(&renewed, now);
        assert!(
            matches!(went_back, Some(Finding::WentBack { range: found, .. }) if found == range(4, 5))
        );
        positions.finish(&renewed);
        let stored = stored(&mut positions);
        assert_eq!((stored.received, stored.missing.as_slice()), (4, [range(2, 2)].as_slice()));
    }

    #[test]
    fn the_last_message_in_a_new_history_is_no_alarm() {
        let (mut positions, now) = (ReceivedPositions::default(), Instant::now());
        receive(&mut positions, &[1, 2, 3], now);
        let of_history = |number, purpose| {
            let mut arrived = arrived(number, purpose);
            arrived.position.history = 2;
            arrived
        };
        assert_eq!(positions.arrive(&of_history(1, Purpose::Again), now), None);
        assert_eq!(positions.arrive(&of_history(3, Purpose::Reminder), now), None);
        let again = positions.arrive(&of_history(2, Purpose::New), now);
        assert_eq!((again, positions.slots.len()), (None, 1));
        let mut older = of_history(2, Purpose::Reminder);
        older.position.history = 3;
        let went_back = positions.arrive(&older, now);
        assert!(
            matches!(went_back, Some(Finding::WentBack { range: found, .. }) if found == range(3, 3))
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

    /// Two queues that share the slot, before anything has arrived.
    fn two_queues() -> [ReceivedPositions; 2] {
        let shared = |asks| BTreeMap::from([(3, SlotRole { asks, is_shared: true })]);
        [true, false].map(|asks| ReceivedPositions::load(vec![], shared(asks), Instant::now()))
    }

    /// Stores what a consumer knows, as its transaction does.
    fn store(positions: &mut ReceivedPositions, row: &mut Option<StoredPositions>, now: Instant) {
        positions.join(row.clone().into_iter().collect(), now);
        let changed = positions.take_changed();
        *row = changed.last().cloned().or(row.take());
        positions.stored(changed);
    }

    #[test]
    fn a_message_that_arrives_in_another_queue_is_not_missing() {
        let ([mut new, mut old], mut row, now) = (two_queues(), None, Instant::now());
        receive(&mut old, &[1, 2], now);
        store(&mut old, &mut row, now);
        // The new queue begins behind a backlog of the old one.
        receive(&mut new, &[6, 7], now);
        store(&mut new, &mut row, now);
        assert_eq!(row.as_ref().unwrap().missing, [range(3, 5)]);
        let key = (PUBLISHER.to_owned(), 3);
        assert_eq!(new.missing_before(&[arrived(6, Purpose::New)]), BTreeMap::from([(key, 3)]));
        assert_eq!(old.missing_before(&[arrived(3, Purpose::New)]), BTreeMap::new());
        receive(&mut old, &[3, 4, 5, 6, 7], now);
        store(&mut old, &mut row, now);
        let due = new.next_request().unwrap();
        assert_eq!((new.due_shared(due), new.to_compare(true).len()), (BTreeSet::from([3]), 1));
        store(&mut new, &mut row, now);
        assert_eq!((new.next_request(), row.unwrap().missing), (None, vec![]));
        // That messages arrive in both queues is no surprise.
        assert_eq!((old.next_request(), old.take_requests(due)), (None, vec![]));
    }

    #[test]
    fn what_is_missing_in_both_queues_is_asked_for() {
        let ([mut new, mut old], mut row, now) = (two_queues(), None, Instant::now());
        receive(&mut old, &[1, 3], now);
        store(&mut old, &mut row, now);
        receive(&mut new, &[1, 3], now);
        store(&mut new, &mut row, now);
        assert_eq!(old.next_request(), None);
        let due = new.next_request().unwrap();
        new.postpone(&new.due_shared(due), due);
        assert_eq!(new.take_requests(due), []);
        let due = new.next_request().unwrap();
        assert_eq!(new.take_requests(due), [request(&[range(2, 2)])]);
    }

    #[test]
    fn positions_that_another_consumer_gave_up_do_not_return() {
        let ([mut new, mut old], mut row, now) = (two_queues(), None, Instant::now());
        for queue in [&mut old, &mut new] {
            receive(queue, &[1, i64::MAX], now);
            store(queue, &mut row, now);
        }
        let unknown = arrived(2, Purpose::Absent { until: i64::MAX - 1, why: Absence::Unknown });
        assert!(new.arrive(&unknown, now).is_some());
        store(&mut new, &mut row, now);
        receive(&mut old, &[2], now);
        store(&mut old, &mut row, now);
        assert_eq!(row.unwrap().received, 1);
        receive(&mut old, &[3], now);
        assert_eq!(stored(&mut old).missing, [range(2, 2)]);
    }

    proptest! {
        /// Whatever arrives where, and whenever it is stored: in the end exactly that is missing which has arrived in neither queue.
        #[test]
        fn two_queues_store_the_union_of_what_arrives(
            steps in prop::collection::vec((any::<bool>(), prop::option::of(1i64..30)), 1..60),
        ) {
            let ([mut one, mut other], mut row, now) = (two_queues(), None, Instant::now());
            let mut all = BTreeSet::new();
            for (is_first, number) in steps {
                let queue = if is_first { &mut one } else { &mut other };
                match number {
                    Some(number) => {
                        receive(queue, &[number], now);
                        all.insert(number);
                    }
                    None => store(queue, &mut row, now),
                }
            }
            store(&mut one, &mut row, now);
            store(&mut other, &mut row, now);
            store(&mut one, &mut row, now);
            let missing: Vec<i64> = row.iter().flat_map(|row| &row.missing).flat_map(|range| range.first..=range.last).collect();
            let last = all.last().copied().unwrap_or_default();
            let expected: Vec<i64> = (1..last).filter(|number| !all.contains(number)).collect();
            prop_assert_eq!(missing, expected);
        }
    }
}
