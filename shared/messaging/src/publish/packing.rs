//! The decisions of the relay without I/O: which rows go into which message, and what the confirms mean for
//! the rows.

use std::collections::{HashMap, HashSet};

use envelope::{Envelope, Priority};
use uuid::Uuid;

use super::table::OutboxRow;
use crate::naming::routing_key;

pub(crate) const MAX_MESSAGE_EVENTS: usize = 64;

/// The most bytes of event data in one message. A single larger event gets a message of its own.
pub(crate) const MAX_MESSAGE_BYTES: usize = 128 * 1024;

/// A message to publish: events of one aggregate and slot, in outbox order.
#[derive(Debug)]
pub(crate) struct Message {
    /// Identifies the message among those in flight, to match returned messages.
    pub(crate) id: Uuid,
    pub(crate) routing_key: String,
    pub(crate) rows: Vec<OutboxRow>,
}

/// Packs rows into messages of one aggregate and slot and of bounded size. Messages of one slot keep the
/// order of their rows.
pub(crate) fn pack(rows: Vec<OutboxRow>) -> Vec<Message> {
    pack_up_to(rows, MAX_MESSAGE_EVENTS, MAX_MESSAGE_BYTES)
}

/// Like [`pack`], with the given bounds per message.
pub(crate) fn pack_up_to(
    rows: Vec<OutboxRow>,
    max_events: usize,
    max_bytes: usize,
) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    // For each partition, the index of the message being filled and its size in bytes.
    let mut open: HashMap<(String, i16), (usize, usize)> = HashMap::new();
    for row in rows {
        let size = row.data.len();
        let partition = (row.aggregate.clone(), row.slot);
        let filling = open.get(&partition).copied().filter(|(index, bytes)| {
            messages[*index].rows.len() < max_events && bytes + size <= max_bytes
        });
        if let Some((index, bytes)) = filling {
            messages[index].rows.push(row);
            open.insert(partition, (index, bytes + size));
        } else {
            let slot = u8::try_from(row.slot).unwrap_or_default();
            let routing_key = routing_key(&row.aggregate, slot);
            open.insert(partition, (messages.len(), size));
            messages.push(Message { id: Uuid::new_v4(), routing_key, rows: vec![row] });
        }
    }
    messages
}

/// The broker's response to a round of messages.
#[derive(Debug, Default)]
pub(crate) struct Confirms {
    pub(crate) nacked: HashSet<Uuid>,
    /// Messages without a queue, not even that of the alternate exchange.
    pub(crate) returned: HashSet<Uuid>,
}

/// The consequences of a round of confirms for the rows.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Settlement {
    /// Rows to delete: the broker has stored their events.
    pub(crate) confirmed: Vec<i64>,
    /// Keys that must not be published further until their rejected events have been published.
    pub(crate) blocked_keys: HashSet<(String, String)>,
}

/// Settles a whole round. Call it only when every message is confirmed: lapin may report a returned message
/// together with the confirm of another one.
pub(crate) fn settle(messages: &[Message], confirms: &Confirms) -> Settlement {
    let mut settlement = Settlement::default();
    for message in messages {
        if confirms.nacked.contains(&message.id) || confirms.returned.contains(&message.id) {
            let keys = message.rows.iter().map(|row| (row.aggregate.clone(), row.key.clone()));
            settlement.blocked_keys.extend(keys);
        } else {
            settlement.confirmed.extend(message.rows.iter().map(|row| row.id));
        }
    }
    settlement
}

/// The envelope of a row.
pub(crate) fn envelope(row: &OutboxRow, source: &str) -> Result<Envelope, serde_json::Error> {
    Ok(Envelope {
        specversion: envelope::SpecVersion::V1,
        id: row.event_id.into(),
        source: source.to_owned(),
        kind: row.kind.clone(),
        subject: row.key.clone(),
        time: row.time,
        sequence: row.seq,
        aggregate: row.aggregate.clone(),
        traceparent: row.traceparent.clone(),
        priority: if row.bulk { Priority::Bulk } else { Priority::Normal },
        keyid: None,
        signature: None,
        encryption: None,
        data: serde_json::value::RawValue::from_string(row.data.clone())?,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::{Confirms, MAX_MESSAGE_BYTES, MAX_MESSAGE_EVENTS, Message, pack, settle};
    use crate::publish::table::OutboxRow;

    fn row(id: i64, aggregate: &str, key: u8, bytes: usize) -> OutboxRow {
        OutboxRow {
            id,
            event_id: uuid::Uuid::new_v4(),
            kind: "lamp.lit.v1".into(),
            aggregate: aggregate.into(),
            key: key.to_string(),
            slot: i16::from(key % 16),
            seq: id,
            time: chrono::DateTime::UNIX_EPOCH,
            traceparent: None,
            bulk: false,
            data: "x".repeat(bytes),
        }
    }

    fn rows() -> impl Strategy<Value = Vec<OutboxRow>> {
        let one = (prop_oneof!["a", "b"], 0u8..40, 0usize..3000);
        prop::collection::vec(one, 0..400).prop_map(|rows| {
            (0..)
                .zip(rows)
                .map(|(id, (aggregate, key, bytes))| row(id, &aggregate, key, bytes))
                .collect()
        })
    }

    proptest! {
        #[test]
        fn each_row_is_packed_once_in_the_order_of_its_slot(rows in rows()) {
            let all: Vec<i64> = rows.iter().map(|row| row.id).collect();
            let messages = pack(rows);
            let mut seen: Vec<i64> = messages.iter().flat_map(|m| m.rows.iter().map(|row| row.id)).collect();
            for slot in messages.iter().map(|m| m.routing_key.clone()).collect::<HashSet<_>>() {
                let ids: Vec<i64> = messages.iter().filter(|m| m.routing_key == slot)
                    .flat_map(|m| m.rows.iter().map(|row| row.id)).collect();
                prop_assert!(ids.is_sorted());
            }
            seen.sort_unstable();
            prop_assert_eq!(seen, all);
        }

        #[test]
        fn messages_have_one_slot_and_a_bounded_size(rows in rows()) {
            for message in pack(rows) {
                let slots: HashSet<_> = message.rows.iter().map(|row| (row.aggregate.clone(), row.slot)).collect();
                prop_assert_eq!(slots.len(), 1);
                prop_assert!(message.rows.len() <= MAX_MESSAGE_EVENTS);
                let bytes: usize = message.rows.iter().map(|row| row.data.len()).sum();
                prop_assert!(message.rows.len() == 1 || bytes <= MAX_MESSAGE_BYTES);
            }
        }
    }

    #[test]
    fn a_rejected_message_keeps_its_rows_and_blocks_its_keys() {
        let messages: Vec<Message> =
            pack(vec![row(1, "a", 1, 1), row(2, "a", 2, 1), row(3, "a", 3, 1)]);
        let confirms = Confirms {
            nacked: HashSet::from([messages[0].id]),
            returned: HashSet::from([messages[2].id]),
        };
        let settlement = settle(&messages, &confirms);
        assert_eq!(settlement.confirmed, [2]);
        let blocked_keys = [("a".to_owned(), "1".to_owned()), ("a".to_owned(), "3".to_owned())];
        assert_eq!(settlement.blocked_keys, HashSet::from(blocked_keys));
    }
}
