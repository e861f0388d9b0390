//! An event between its emission and the commit.

use envelope::{EventId, Priority, Slot};

/// An emitted event that waits for the commit of its transaction.
#[derive(Debug)]
pub(crate) struct PendingEvent {
    pub(crate) id: EventId,
    pub(crate) kind: &'static str,
    pub(crate) aggregate: &'static str,
    pub(crate) key: String,
    pub(crate) slot: Slot,
    pub(crate) traceparent: Option<String>,
    pub(crate) priority: Priority,
    pub(crate) data: String,
}
