//! Rows of `messaging.parked`.

use envelope::Envelope;

use crate::consume::received_event::ReceivedEvent;

/// Why an event is parked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    Retry,
    /// Its predecessor has not arrived.
    Gap,
    /// An earlier event of its key is parked.
    Behind,
    /// The program does not know its type.
    UnknownType,
}

/// A row of `messaging.parked`.
#[derive(Debug, Clone)]
pub(super) struct Parked {
    pub(super) why: Why,
    pub(super) attempts: u32,
    pub(super) starts: i32,
    pub(super) next_at: Option<u64>,
    pub(super) envelope: Envelope,
}

impl Parked {
    /// The event of the row, as received.
    pub(super) fn received_event(&self) -> ReceivedEvent {
        ReceivedEvent {
            envelope: self.envelope.clone(),
            attempts: self.attempts,
            causes: Vec::new(),
            route: (String::new(), String::new()),
        }
    }
}
