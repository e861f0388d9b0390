//! Rows of `messaging.dead_letter`.

use envelope::Envelope;

use crate::{
    consume::{plan::Hold, received_event::ReceivedEvent},
    dead_letters::plan::PendingLetter,
};

/// The state of a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Pending,
    Redriven,
    Discarded,
}

/// A row of `messaging.dead_letter`.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    pub(super) event: usize,
    pub(super) key: usize,
    pub(super) sequence: i64,
    pub(super) envelope: Envelope,
    pub(super) reason: &'static str,
    pub(super) blocks: bool,
    pub(super) passed: bool,
    pub(super) state: State,
    /// Its event is not parked: a process of an older version recorded it.
    pub(super) is_detached: bool,
}

impl Letter {
    /// Whether it blocks its key.
    pub(super) fn is_blocking(&self) -> bool {
        self.state == State::Pending && self.blocks && self.passed
    }

    /// The part that matters for decisions about its key, as `LockedBatch::open` reads it.
    pub(super) fn pending(&self, hold: Hold) -> PendingLetter {
        PendingLetter::new(self.blocks, self.passed, self.reason, hold)
    }

    /// The event of the letter, as received.
    pub(super) fn received_event(&self) -> ReceivedEvent {
        ReceivedEvent {
            envelope: self.envelope.clone(),
            attempts: 0,
            causes: Vec::new(),
            route: (String::new(), String::new()),
        }
    }
}
