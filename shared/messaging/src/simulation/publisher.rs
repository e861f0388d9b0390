//! The database of the publisher, as tables in memory.

use std::{
    collections::{BTreeMap, HashMap},
    rc::Rc,
};

use envelope::Envelope;
use uuid::Uuid;

use super::{events::KEYS, limits::LEASE_TTL};
use crate::{
    message_position::PositionRange,
    publish::{
        message_copies::{LastPosition, MessageCopy},
        table::OutboxRow,
    },
};

/// A row of `messaging.process_lease`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lease {
    pub(super) holder: Uuid,
    pub(super) epoch: i64,
    pub(super) expires_at: u64,
}

/// A row of `messaging.message`.
#[derive(Debug, Clone)]
pub(super) struct LoggedMessage {
    pub(super) slot: i16,
    pub(super) position: i64,
    /// No events: the position is unused.
    pub(super) events: Rc<Vec<Envelope>>,
}

/// What a round adds to the log.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) messages: Vec<LoggedMessage>,
    /// The last position of each slot.
    pub(super) last: Vec<(i16, i64)>,
}

#[derive(Debug, Default)]
pub(super) struct Publisher {
    /// `messaging.sequence`, with the holders of its row locks.
    pub(super) sequences: [i64; KEYS],
    pub(super) sequence_locks: [Option<usize>; KEYS],
    /// `messaging.outbox` in id order.
    pub(super) outbox: Vec<OutboxRow>,
    pub(super) last_id: i64,
    /// The position of a relay with a cursor; only with a bug.
    pub(super) horizon: i64,
    /// Locked rows and their relays; only with a bug.
    pub(super) outbox_locks: HashMap<i64, usize>,
    pub(super) lease: Option<Lease>,
    /// `messaging.message` in the order of publishing.
    pub(super) log: Vec<LoggedMessage>,
    /// `messaging.slot_position`.
    pub(super) slot_positions: BTreeMap<i16, i64>,
    /// `messaging.history`.
    pub(super) history: i64,
    /// The highest position of each slot that has left the log.
    pub(super) expired: BTreeMap<i16, i64>,
}

impl Publisher {
    /// `lease::acquire`.
    pub(super) fn acquire_lease(&mut self, holder: Uuid, now: u64) -> Option<i64> {
        let epoch = match self.lease {
            None => 1,
            Some(lease) if lease.holder == holder => lease.epoch,
            Some(lease) if lease.expires_at <= now => lease.epoch + 1,
            Some(_) => return None,
        };
        self.lease = Some(Lease { holder, epoch, expires_at: now + LEASE_TTL });
        Some(epoch)
    }

    /// `table::move_to_log`. Without an epoch the lease is not checked, which is a bug.
    pub(super) fn move_to_log(
        &mut self,
        ids: &[i64],
        log: Log,
        holder: Uuid,
        epoch: Option<i64>,
    ) -> bool {
        let is_held = epoch.is_none_or(|epoch| {
            self.lease.is_some_and(|lease| lease.holder == holder && lease.epoch == epoch)
        });
        if is_held {
            self.outbox.retain(|row| !ids.contains(&row.id));
            self.log.extend(log.messages);
            self.slot_positions.extend(log.last);
        }
        is_held
    }

    /// The end of a relay's transaction, whatever its outcome.
    pub(super) fn unlock_outbox(&mut self, relay: usize) {
        self.outbox_locks.retain(|_, holder| *holder != relay);
    }

    /// `message_copies::read`. The body is the place of the message in the log.
    pub(super) fn copies(&self, slot: i16, range: PositionRange) -> Vec<MessageCopy> {
        let is_meant = |(_, one): &(usize, &LoggedMessage)| {
            one.slot == slot && (range.first..=range.last).contains(&one.position)
        };
        let found = self.log.iter().enumerate().filter(is_meant);
        let copy = |(place, one): (usize, &LoggedMessage)| MessageCopy {
            number: one.position,
            events: i32::try_from(one.events.len()).unwrap(),
            body: place.to_be_bytes().to_vec(),
        };
        let mut copies: Vec<MessageCopy> = found.map(copy).collect();
        copies.sort_by_key(|copy| copy.number);
        copies
    }

    /// The events of a copy.
    pub(super) fn events_of(&self, body: &[u8]) -> Rc<Vec<Envelope>> {
        let place = body.try_into().ok().map(usize::from_be_bytes);
        place
            .and_then(|place| self.log.get(place))
            .map(|one| one.events.clone())
            .unwrap_or_default()
    }

    /// `message_copies::last_position`.
    pub(super) fn last_position(&self, slot: i16) -> LastPosition {
        let number = self.slot_positions.get(&slot).copied().unwrap_or(0);
        LastPosition { number, may_grow: self.outbox.iter().any(|row| row.slot == slot) }
    }

    /// The oldest messages leave the log.
    pub(super) fn expire(&mut self, count: usize) {
        for message in self.log.drain(..count.min(self.log.len())) {
            let highest = self.expired.entry(message.slot).or_default();
            *highest = message.position.max(*highest);
        }
    }

    /// A position that is in the log twice, if any.
    pub(super) fn doubled_position(&self) -> Option<(i16, i64)> {
        let mut seen = std::collections::HashSet::new();
        let positions = self.log.iter().map(|one| (one.slot, one.position));
        positions.into_iter().find(|position| !seen.insert(*position))
    }
}
