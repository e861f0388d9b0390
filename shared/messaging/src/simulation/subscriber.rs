//! The subscribers of the publisher: each has its own queues, processes, database, handlers and operator.

use super::{
    broker::StoredMessage,
    database::Database,
    events::{event, group_of, slot},
    handler::{Behaviour, Handler},
    limits::SUBSCRIBERS,
    random::Random,
};
use crate::consume::subscription::Ordering;

#[derive(Debug)]
pub(super) struct Subscriber {
    pub(super) ordering: Ordering,
    pub(super) database: Database,
    pub(super) handler: Handler,
    /// Messages that were confirmed and that it has not received, or that it has lost again.
    pub(super) losses: Vec<Loss>,
    /// A backup of its database, and the messages that it has acknowledged since.
    pub(super) backup: Option<Box<Database>>,
    pub(super) since_backup: Vec<Loss>,
    /// The ranges of positions that the publisher no longer had: slot, first and last.
    pub(super) expired: Vec<(i16, i64, i64)>,
}

/// A lost message.
#[derive(Debug, Clone)]
pub(super) struct Loss {
    pub(super) slot: i16,
    pub(super) position: i64,
    pub(super) events: Vec<usize>,
}

impl Loss {
    pub(super) fn of(message: &StoredMessage) -> Self {
        let events = message.events.iter().map(event).collect();
        Self { slot: message.position.slot, position: message.position.number, events }
    }
}

impl Subscriber {
    pub(super) fn new(ordering: Ordering) -> Self {
        Self {
            ordering,
            database: Database::default(),
            handler: Handler::default(),
            losses: Vec::new(),
            backup: None,
            since_backup: Vec::new(),
            expired: Vec::new(),
        }
    }

    /// Whether the publisher has answered that it no longer has a message.
    pub(super) fn is_known_expired(&self, loss: &Loss) -> bool {
        let is_answered = |(slot, first, last): &(i16, i64, i64)| {
            *slot == loss.slot && (*first..=*last).contains(&loss.position)
        };
        self.expired.iter().any(is_answered)
    }
}

/// A fault of one subscriber that does not end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) subscriber: usize,
    pub(super) kind: BrokenKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BrokenKind {
    /// The queue of this slot group confirms nothing.
    Queue(usize),
    /// The handler behaves so for every event.
    Handler(Behaviour),
    /// Its processes hang.
    Processes,
}

impl Broken {
    /// Draws a fault, or none.
    pub(super) fn drawn(random: &mut Random) -> Option<Self> {
        if random.chance(50) {
            return None;
        }
        let subscriber = random.below(SUBSCRIBERS);
        let kind = match random.below(6) {
            0 => BrokenKind::Handler(Behaviour::Rejected),
            1 => BrokenKind::Handler(Behaviour::Kills(u32::MAX)),
            2 => BrokenKind::Processes,
            _ => BrokenKind::Queue(random.below(2)),
        };
        Some(Self { subscriber, kind })
    }

    /// Whether the events of a slot wait for the broken queue: they are routed to it as well.
    pub(super) fn stops(self, of_slot: i16) -> bool {
        self.kind == BrokenKind::Queue(group_of(of_slot))
    }

    pub(super) fn stops_key(self, key: usize) -> bool {
        self.stops(slot(key))
    }
}
