//! What a schedule does to the databases, statement by statement, and the state that the model expects after each. The same statements run
//! against PostgreSQL, see `sql`.

use std::collections::{BTreeSet, HashMap};

use uuid::Uuid;

use super::{limits::SUBSCRIBERS, publisher::LoggedMessage};
use crate::{
    consume::{
        plan::{Decision, Disposition, Origin, ParkedDecision},
        received_event::ReceivedEvent,
        received_positions::StoredPositions,
        subscription::{Ordering, Reception},
    },
    dead_letters::plan::RedriveDecision,
    message_position::PositionRange,
    publish::table::OutboxRow,
};

/// One of so many operations that find nothing is executed.
const IDLE: usize = 100;

/// An applied event: its id, key and number.
pub(super) type Applied = (usize, usize, i64);

/// The statements of one transaction, or a part of it.
#[derive(Debug)]
pub(super) enum Operation {
    /// A writer numbers events in a transaction that stays open.
    Append { writer: usize, rows: Vec<OutboxRow> },
    /// The end of this transaction.
    EndWriter { writer: usize, commits: bool },
    /// A relay asks for the lease.
    Lease { holder: Uuid, epoch: Option<i64> },
    /// A relay reads rows, without these slots.
    Read { suspended: BTreeSet<i16>, most: usize, ids: Vec<i64> },
    /// A relay reads the oldest row of each of these slots.
    ReadOldest { slots: Vec<i16>, ids: Vec<i64> },
    /// A relay moves confirmed rows to the log, if it holds the lease.
    MoveToLog {
        holder: Uuid,
        epoch: i64,
        ids: Vec<i64>,
        messages: Vec<LoggedMessage>,
        last: Vec<(i16, i64)>,
        is_held: bool,
    },
    /// A relay reads messages of the log by their positions: position and number of events.
    Copies { slot: i16, range: PositionRange, found: Vec<(i64, usize)> },
    /// A relay reads the last position of a slot, and whether it may grow.
    LastPosition { slot: i16, number: i64, may_grow: bool },
    /// The oldest messages leave the log.
    Expire { count: usize },
    /// A consumer begins a transaction, locks and decides. `None` if another process handles the event.
    Begin {
        consumer: usize,
        events: Vec<ReceivedEvent>,
        dispositions: HashMap<usize, Disposition>,
        origin: Origin,
        receptions: HashMap<String, Reception>,
        decisions: Option<Vec<Decision>>,
    },
    /// The transaction of a consumer ends without a commit, if it has one.
    RollBack { consumer: usize },
    /// The transaction of a consumer is written and committed. It fails if another process was faster.
    End { consumer: usize, applied: Vec<Applied>, is_committed: bool },
    /// A program looks for events of types that it knows.
    Revive { slots: BTreeSet<i16>, known: Vec<String>, count: u64 },
    /// A retry worker looks for due keys.
    Due { slots: BTreeSet<i16>, keys: BTreeSet<usize> },
    /// A retry worker starts the first parked event of a key. An earlier version of the program does not keep an event parked whose
    /// predecessor is missing.
    First { key: usize, decision: ParkedDecision, is_detached: bool },
    /// A retry worker reads the parked events of a key: numbers and attempts.
    EventsOfKey { key: usize, events: Vec<(i64, u32)> },
    /// A retry worker starts the newest due event of a key: number and starts.
    StartNewest { key: usize, found: Option<(i64, i32)> },
    /// An operator redrives letters, by their places.
    Redrive {
        letters: Vec<usize>,
        failed: BTreeSet<usize>,
        handled: BTreeSet<usize>,
        decisions: Vec<RedriveDecision>,
        resolved: Vec<usize>,
        applied: Vec<Applied>,
    },
    /// An operator discards a letter, if that is possible.
    Discard { letter: usize, is_done: bool },
    /// An operator declares these events lost.
    DeclareLost { letter: usize, first: i64, last: i64 },
    /// A consumer stores positions.
    StorePositions { rows: Vec<StoredPositions> },
}

impl Operation {
    /// Whether it may change what others see.
    pub(super) const fn is_write(&self) -> bool {
        match self {
            Self::Append { .. }
            | Self::Read { .. }
            | Self::ReadOldest { .. }
            | Self::Copies { .. }
            | Self::LastPosition { .. }
            | Self::Begin { .. }
            | Self::Due { .. }
            | Self::EventsOfKey { .. } => false,
            Self::EndWriter { .. }
            | Self::Lease { .. }
            | Self::MoveToLog { .. }
            | Self::Expire { .. }
            | Self::RollBack { .. }
            | Self::End { .. }
            | Self::Revive { .. }
            | Self::First { .. }
            | Self::StartNewest { .. }
            | Self::Redrive { .. }
            | Self::Discard { .. }
            | Self::DeclareLost { .. }
            | Self::StorePositions { .. } => true,
        }
    }
}

/// An operation at a time, of a subscriber unless it is the publisher's, and the state after it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) at: u64,
    pub(super) subscriber: usize,
    pub(super) operation: Operation,
    pub(super) state: Vec<String>,
}

/// What a schedule has done.
#[derive(Debug)]
pub(super) struct Journal {
    pub(super) orderings: [Ordering; SUBSCRIBERS],
    pub(super) entries: Vec<Entry>,
    /// The consumers with an open transaction.
    open: BTreeSet<(usize, usize)>,
    /// How many operations found nothing.
    idle: usize,
}

impl Journal {
    pub(super) const fn new(orderings: [Ordering; SUBSCRIBERS]) -> Self {
        Self { orderings, entries: Vec::new(), open: BTreeSet::new(), idle: 0 }
    }

    /// Whether an operation is executed. Of those that look for work and find nothing, few are.
    #[expect(clippy::wildcard_enum_match_arm, reason = "few operations are special")]
    pub(super) fn is_recorded(&mut self, subscriber: usize, operation: &Operation) -> bool {
        let is_idle = match operation {
            Operation::Begin { consumer, decisions: Some(_), .. } => {
                self.open.insert((subscriber, *consumer));
                false
            }
            Operation::End { consumer, .. } => {
                self.open.remove(&(subscriber, *consumer));
                false
            }
            Operation::RollBack { consumer } => return self.open.remove(&(subscriber, *consumer)),
            Operation::Lease { epoch, .. } => epoch.is_none(),
            Operation::Revive { count, .. } => *count == 0,
            Operation::Due { keys, .. } => keys.is_empty(),
            _ => false,
        };
        self.idle += usize::from(is_idle);
        !is_idle || self.idle.is_multiple_of(IDLE)
    }
}
