//! `messaging.parked`: the statements of `consume::parking`.

use std::collections::BTreeSet;

use super::{
    bugs::Bug,
    database::Database,
    events::number,
    handler::{Handler, Version},
    letter::{Letter, State},
    limits::GAP_TIMEOUT,
    parked::{Parked, Why},
    world::World,
};
use crate::consume::{
    plan::{Decision, Hold, Origin},
    received_event::ReceivedEvent,
    subscription::Reception,
};

/// The delay of a retry, in milliseconds.
const RETRY: u64 = 1_000;

impl Database {
    /// `parking::park` for one event.
    pub(super) fn park(
        &mut self,
        received: &ReceivedEvent,
        decision: &Decision,
        origin: Origin,
        now: u64,
    ) {
        let (why, next_at) = match decision {
            Decision::ParkUnknown => (Why::UnknownType, None),
            Decision::ParkGap => (Why::Gap, None),
            Decision::ParkBehind | Decision::ParkDue => (Why::Behind, None),
            // The kit adds jitter to the delay; here it is fixed or zero.
            Decision::ParkRetry(pause) => {
                (Why::Retry, Some(if pause.is_zero() { now } else { now + RETRY }))
            }
            Decision::Duplicate
            | Decision::Late
            | Decision::Stale
            | Decision::Apply
            | Decision::Ignore
            | Decision::DeadLetter(_) => return,
        };
        let envelope = &received.envelope;
        let position = (number(&envelope.subject), envelope.sequence);
        let attempts = received.attempts;
        match self.parked.get_mut(&position) {
            Some(row)
                if origin == Origin::Parked && matches!(why, Why::Retry | Why::UnknownType) =>
            {
                let attempts = attempts.max(row.attempts);
                (row.why, row.attempts, row.next_at) = (why, attempts, next_at);
                row.starts -= i32::from(why == Why::UnknownType && row.starts > 0);
            }
            Some(_) => {}
            None => {
                let row = Parked { why, attempts, starts: 0, next_at, envelope: envelope.clone() };
                self.parked.insert(position, row);
            }
        }
    }

    /// `parking::revive` for one slot group. Returns the number of events.
    pub(super) fn revive(&mut self, group: usize, handler: &Handler, now: u64) -> u64 {
        let is_meant = |key: usize, row: &Parked| {
            let kind = row.envelope.kind.as_str();
            key % 2 == group
                && row.why == Why::UnknownType
                && row.next_at.is_none()
                && handler.reception(kind, Version::New) != Reception::Unknown
        };
        let rows = self.parked.iter_mut().filter(|((key, _), row)| is_meant(*key, row));
        let mut revived = 0;
        for (_, row) in rows {
            row.next_at = Some(now);
            revived += 1;
        }
        revived
    }

    /// `parking::due_keys` for one slot group.
    pub(super) fn due(&self, group: usize, now: u64) -> Vec<usize> {
        let is_due = |row: &Parked| row.next_at.is_some_and(|at| at <= now);
        let mut keys: Vec<usize> = self
            .parked
            .iter()
            .filter(|((key, _), row)| key % 2 == group && is_due(row))
            .map(|((key, _), _)| *key)
            .collect();
        keys.dedup();
        keys
    }

    /// `parking::first`: the number of the first parked event of a key, whether it is due, and its starts
    /// including this one. None if another process handles it now.
    pub(super) fn first(
        &mut self,
        key: usize,
        last: i64,
        now: u64,
        by: usize,
    ) -> Option<(i64, bool, i32)> {
        let (position, _) = self.parked.range((key, 0)..(key + 1, 0)).next()?;
        if !self.is_parked_free(*position, by) {
            return None;
        }
        let ((_, sequence), row) = self.parked.range_mut((key, 0)..(key + 1, 0)).next()?;
        let is_due = row.next_at.is_some_and(|at| at <= now);
        row.starts += i32::from(is_due && *sequence == last + 1);
        Some((*sequence, is_due, row.starts))
    }

    /// `parking::events_of_key`.
    pub(super) fn of_key(&self, key: usize) -> Vec<ReceivedEvent> {
        let rows = || self.parked.range((key, 0)..(key + 1, 0)).map(|(_, row)| row);
        let is_single = rows().next().is_some_and(|row| row.starts > 1 || row.attempts > 0);
        rows().take(if is_single { 1 } else { usize::MAX }).map(Parked::received_event).collect()
    }
}

impl World {
    /// `parking::settle`. Rows that a retry has locked are left alone, unless it is the retry `by` itself.
    pub(super) fn settle(&mut self, key: usize, by: usize) {
        let (now, bug) = (self.clock, self.bug);
        let database = &mut self.database;
        let Some(cursor) = &mut database.cursors[key] else { return };
        let is_dead = |letter: &Letter| letter.key == key && letter.state == State::Pending;
        let dead: BTreeSet<i64> =
            database.letters.iter().filter(|one| is_dead(one)).map(|one| one.sequence).collect();
        let is_kept = |row: &Parked| bug == Some(Bug::RetryIsOvertaken) && row.why == Why::Retry;
        let (last, locks) = (cursor.last, &database.parked_locks);
        let is_locked = |position: &(usize, i64)| locks.get(position).is_some_and(|one| *one != by);
        database.parked.retain(|position, row| {
            let (of, sequence) = position;
            *of != key || *sequence > last || is_kept(row) || is_locked(position)
        });
        let left = database.parked.range((key, 0)..=(key, last)).next();
        if left.is_some_and(|(_, row)| !is_kept(row)) {
            // It is being retried.
            if cursor.hold == Hold::Free {
                cursor.hold = Hold::Parked;
            }
            return;
        }
        let mut is_first = true;
        for ((_, sequence), row) in database.parked.range_mut((key, 0)..(key + 1, 0)) {
            if is_first || row.next_at.is_some() {
                row.next_at = if cursor.hold == Hold::Blocked || !is_first {
                    None
                } else if row.why == Why::UnknownType
                    || (row.why == Why::Retry && row.next_at.is_some())
                {
                    row.next_at
                } else if *sequence == last + 1 && bug != Some(Bug::SettleIgnoresTheNext) {
                    let is_forgotten =
                        bug == Some(Bug::RevivalForgotten) && dead.contains(sequence);
                    (!is_forgotten).then_some(row.next_at.map_or(now, |at| at.min(now)))
                } else if dead.contains(sequence) {
                    None
                } else if row.next_at.is_some() {
                    row.next_at
                } else if bug == Some(Bug::SettleIgnoresTheNext) {
                    None
                } else {
                    Some(now + GAP_TIMEOUT)
                };
            }
            is_first = false;
        }
        if cursor.hold != Hold::Blocked {
            cursor.hold = if is_first { Hold::Free } else { Hold::Parked };
        }
    }
}
