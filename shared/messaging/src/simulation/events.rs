//! The keys, types and events of a schedule.

use std::{collections::BTreeSet, sync::LazyLock};

use envelope::{Envelope, Slot};

use crate::consume::received_event::{Key, ReceivedEvent};

/// The maximum number of keys.
pub(super) const KEYS: usize = 4;

/// The name of the publisher.
pub(super) const PUBLISHER: &str = "orders";

/// The aggregate of all events.
pub(super) const AGGREGATE: &str = "order";

/// The event types with a handler.
pub(super) const HANDLED: [&str; 2] = ["changed", "removed"];

/// The event type that the subscription ignores.
pub(super) const UNHANDLED: &str = "whatever";

/// The event type that only the new version of the program knows, and handles.
pub(super) const NOVEL: &str = "novel";

/// The slots of the keys: two keys may share a message, and each slot group has two keys.
const SLOTS: [u8; KEYS] = [0, 1, 0, 3];

/// The names of the keys: a number, and what brings it into its slot.
static NAMES: LazyLock<[String; KEYS]> = LazyLock::new(|| {
    std::array::from_fn(|key| {
        let mut names = (0..).map(|suffix| format!("{key}{suffix}"));
        names.find(|name| Slot::of(name).number() == SLOTS[key]).unwrap()
    })
});

/// The static name of an event type.
pub(super) fn kind(name: &str) -> &'static str {
    HANDLED.into_iter().chain([NOVEL]).find(|kind| *kind == name).unwrap_or(UNHANDLED)
}

/// An event that a transaction has committed.
#[derive(Debug, Clone, Copy)]
pub(super) struct EmittedEvent {
    pub(super) key: usize,
    pub(super) sequence: i64,
    pub(super) kind: &'static str,
}

/// The name of a key.
pub(super) fn name(key: usize) -> String {
    NAMES[key].clone()
}

/// The slot of a key.
pub(super) fn slot(key: usize) -> i16 {
    SLOTS[key].into()
}

/// All slots of the keys of a slot group.
pub(super) fn slots_of(group: usize) -> BTreeSet<i16> {
    (0..KEYS).filter(|key| group_of(slot(*key)) == group).map(slot).collect()
}

/// The slot group of a slot.
pub(super) fn group_of(slot: i16) -> usize {
    usize::try_from(slot % 2).unwrap()
}

/// The key with a name.
pub(super) fn number(name: &str) -> usize {
    usize::from(name.as_bytes()[0] - b'0')
}

/// The id of the event in an envelope.
pub(super) fn event(envelope: &Envelope) -> usize {
    usize::try_from(envelope.id.as_uuid().as_u128()).unwrap()
}

/// A key as the kit represents it.
pub(super) fn full(key: usize) -> Key {
    (PUBLISHER.to_owned(), name(key))
}

/// The keys of events, in order, each once.
pub(super) fn keys_of(events: &[ReceivedEvent]) -> Vec<usize> {
    let keys: BTreeSet<usize> = events.iter().map(|one| number(&one.envelope.subject)).collect();
    keys.into_iter().collect()
}

/// Events as text for the trace.
pub(super) fn list<'a>(events: impl Iterator<Item = &'a Envelope>) -> String {
    let one = |envelope: &Envelope| {
        let key = number(&envelope.subject);
        format!("{key}/{}#{}", envelope.sequence, event(envelope))
    };
    events.map(one).collect::<Vec<_>>().join(" ")
}
