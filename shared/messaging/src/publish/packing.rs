//! The decisions of the relay without I/O: which rows go into which message, and what the confirms mean for
//! the rows.

use std::collections::{BTreeSet, HashMap, HashSet};

use envelope::{Envelope, Priority};
use uuid::Uuid;

use super::{partition::Partition, table::OutboxRow};

pub(crate) const MAX_MESSAGE_EVENTS: usize = 64;

/// The most bytes of event data in one message. A single larger event gets a message of its own.
pub(crate) const MAX_MESSAGE_BYTES: usize = 128 * 1024;

/// A message to publish: events of one partition, in outbox order.
#[derive(Debug)]
pub(crate) struct Message {
    /// Identifies the message among those in flight, to match returned messages.
    pub(crate) id: Uuid,
    pub(crate) partition: Partition,
    pub(crate) rows: Vec<OutboxRow>,
}

/// Packs rows into messages of one partition and of bounded size. Messages of one partition keep the order of
/// their rows.
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
    let mut open: HashMap<Partition, (usize, usize)> = HashMap::new();
    for row in rows {
        let size = row.data.len();
        let partition = row.partition();
        let filling = open.get(&partition).copied().filter(|(index, bytes)| {
            messages[*index].rows.len() < max_events && bytes + size <= max_bytes
        });
        if let Some((index, bytes)) = filling {
            messages[index].rows.push(row);
            open.insert(partition, (index, bytes + size));
        } else {
            open.insert(partition.clone(), (messages.len(), size));
            messages.push(Message { id: Uuid::new_v4(), partition, rows: vec![row] });
        }
    }
    messages
}

/// The broker's response to a round of messages. What is in no set is confirmed.
#[derive(Debug, Default)]
pub(crate) struct Confirms {
    pub(crate) nacked: HashSet<Uuid>,
    /// Messages without a queue, not even that of the alternate exchange.
    pub(crate) returned: HashSet<Uuid>,
    /// Messages that were neither confirmed nor rejected in time. The broker may store them later.
    pub(crate) unanswered: HashSet<Uuid>,
}

impl Confirms {
    /// Whether the broker has not stored the message, or may not have.
    fn has_failed(&self, message: Uuid) -> bool {
        let failed = [&self.nacked, &self.returned, &self.unanswered];
        failed.iter().any(|ids| ids.contains(&message))
    }

    /// Whether the broker has certainly stored the message.
    ///
    /// A returned message is confirmed as well, and lapin may report it together with the confirm of another one. So a
    /// round with a returned and an unanswered message proves nothing: the return of a confirmed message may not be
    /// reported yet. Without any returned message no confirmed one was returned: its confirm would have reported one.
    pub(crate) fn is_stored(&self, message: Uuid) -> bool {
        let is_proof = self.returned.is_empty() || self.unanswered.is_empty();
        is_proof && !self.has_failed(message)
    }
}

/// The consequences of a round of confirms for the rows.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Settlement {
    /// Rows to delete: the broker has stored their events.
    pub(crate) confirmed: Vec<i64>,
    /// The messages of these rows, by their place in the round.
    pub(crate) stored: Vec<usize>,
    /// Partitions with a message that the broker has not stored.
    pub(crate) suspended: BTreeSet<Partition>,
}

/// Settles a round.
pub(crate) fn settle(messages: &[Message], confirms: &Confirms) -> Settlement {
    let mut settlement = Settlement::default();
    for (place, message) in messages.iter().enumerate() {
        if confirms.has_failed(message.id) {
            settlement.suspended.insert(message.partition.clone());
        } else if confirms.is_stored(message.id) {
            settlement.confirmed.extend(message.rows.iter().map(|row| row.id));
            settlement.stored.push(place);
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

    use super::{Confirms, MAX_MESSAGE_BYTES, MAX_MESSAGE_EVENTS, pack, settle};
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
            for slot in messages.iter().map(|m| m.partition.clone()).collect::<HashSet<_>>() {
                let ids: Vec<i64> = messages.iter().filter(|m| m.partition == slot)
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
    fn a_failed_message_keeps_its_rows_and_suspends_its_partition() {
        let messages = pack((1..=4).map(|id| row(id, "a", u8::try_from(id).unwrap(), 1)).collect());
        let ids: Vec<_> = messages.iter().map(|message| message.id).collect();
        let of = |ids: &[uuid::Uuid]| ids.iter().copied().collect::<HashSet<_>>();
        let settled = |nacked: &[_], returned: &[_], unanswered: &[_]| {
            let confirms =
                Confirms { nacked: of(nacked), returned: of(returned), unanswered: of(unanswered) };
            let settlement = settle(&messages, &confirms);
            let slots = settlement.suspended.iter().map(|partition| partition.slot);
            (settlement.confirmed, slots.collect::<Vec<_>>())
        };
        assert_eq!(settled(&ids[..1], &ids[2..3], &[]), (vec![2, 4], vec![1, 3]));
        assert_eq!(settled(&ids[..1], &[], &ids[2..3]), (vec![2, 4], vec![1, 3]));
        let nothing_is_proven = settled(&[], &ids[..1], &ids[2..3]);
        assert_eq!(nothing_is_proven, (vec![], vec![1, 3]));
    }
}
