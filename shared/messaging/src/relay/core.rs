//! What the relay decides, without any I/O: which rows travel in which message, and what a round of confirms means for
//! them.

use std::collections::{HashMap, HashSet};

use envelope::{Envelope, Priority};
use uuid::Uuid;

use crate::{outbox::Row, topology::routing_key};

/// The most events in one message.
pub(crate) const MESSAGE_EVENTS: usize = 64;

/// The most bytes of event data in one message; a single larger event travels alone.
pub(crate) const MESSAGE_BYTES: usize = 128 * 1024;

/// A message to be published: events of one aggregate and slot, in the order of the outbox.
#[derive(Debug)]
pub(crate) struct Message {
    /// Names the message among those in flight, so that a returned one is recognised.
    pub(crate) id: Uuid,
    pub(crate) routing_key: String,
    pub(crate) rows: Vec<Row>,
}

/// Divides rows, stably, by aggregate and slot, and each part into messages of bounded size. Messages of one slot stand in
/// the order of their rows.
pub(crate) fn pack(rows: Vec<Row>) -> Vec<Message> {
    pack_up_to(rows, MESSAGE_EVENTS, MESSAGE_BYTES)
}

/// As [`pack`], with at most `most_events` and `most_bytes` in one message.
pub(crate) fn pack_up_to(rows: Vec<Row>, most_events: usize, most_bytes: usize) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    // The message that a lane is being filled into, and its bytes so far.
    let mut open: HashMap<(String, i16), (usize, usize)> = HashMap::new();
    for row in rows {
        let size = row.data.len();
        let lane = (row.aggregate.clone(), row.slot);
        let filling = open.get(&lane).copied().filter(|(index, bytes)| {
            messages[*index].rows.len() < most_events && bytes + size <= most_bytes
        });
        if let Some((index, bytes)) = filling {
            messages[index].rows.push(row);
            open.insert(lane, (index, bytes + size));
        } else {
            let slot = u8::try_from(row.slot).unwrap_or_default();
            let routing_key = routing_key(&row.aggregate, slot);
            open.insert(lane, (messages.len(), size));
            messages.push(Message { id: Uuid::new_v4(), routing_key, rows: vec![row] });
        }
    }
    messages
}

/// How the broker answered to one round of messages.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// Messages that were refused.
    pub(crate) nacked: HashSet<Uuid>,
    /// Messages that came back because nothing is bound for them, not even the net under the exchange.
    pub(crate) returned: HashSet<Uuid>,
}

/// What a round of answers means for the rows.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Settlement {
    /// Rows that are safe with the broker: to be deleted.
    pub(crate) confirmed: Vec<i64>,
    /// Keys of which nothing more is published until what failed has been sent again.
    pub(crate) stopped: HashSet<(String, String)>,
}

/// Settles a whole round. It is only called when every message of the round has been answered: a returned message may be
/// reported with another one's confirm, so nothing is known of any before all are answered.
pub(crate) fn settle(messages: &[Message], answers: &Answers) -> Settlement {
    let mut settlement = Settlement::default();
    for message in messages {
        if answers.nacked.contains(&message.id) || answers.returned.contains(&message.id) {
            let keys = message.rows.iter().map(|row| (row.aggregate.clone(), row.key.clone()));
            settlement.stopped.extend(keys);
        } else {
            settlement.confirmed.extend(message.rows.iter().map(|row| row.id));
        }
    }
    settlement
}

/// The envelope in which a row travels.
pub(crate) fn envelope(row: &Row, source: &str) -> Result<Envelope, serde_json::Error> {
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

    use super::{Answers, MESSAGE_BYTES, MESSAGE_EVENTS, Message, pack, settle};
    use crate::outbox::Row;

    fn row(id: i64, aggregate: &str, key: u8, bytes: usize) -> Row {
        Row {
            id,
            event_id: uuid::Uuid::new_v4(),
            kind: "thing.happened.v1".into(),
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

    fn rows() -> impl Strategy<Value = Vec<Row>> {
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
        fn every_row_travels_once_in_the_order_of_its_lane(rows in rows()) {
            let all: Vec<i64> = rows.iter().map(|row| row.id).collect();
            let messages = pack(rows);
            let mut seen: Vec<i64> = messages.iter().flat_map(|m| m.rows.iter().map(|row| row.id)).collect();
            for lane in messages.iter().map(|m| m.routing_key.clone()).collect::<HashSet<_>>() {
                let ids: Vec<i64> = messages.iter().filter(|m| m.routing_key == lane)
                    .flat_map(|m| m.rows.iter().map(|row| row.id)).collect();
                prop_assert!(ids.is_sorted());
            }
            seen.sort_unstable();
            prop_assert_eq!(seen, all);
        }

        #[test]
        fn messages_are_of_one_lane_and_bounded(rows in rows()) {
            for message in pack(rows) {
                let lanes: HashSet<_> = message.rows.iter().map(|row| (row.aggregate.clone(), row.slot)).collect();
                prop_assert_eq!(lanes.len(), 1);
                prop_assert!(message.rows.len() <= MESSAGE_EVENTS);
                let bytes: usize = message.rows.iter().map(|row| row.data.len()).sum();
                prop_assert!(message.rows.len() == 1 || bytes <= MESSAGE_BYTES);
            }
        }
    }

    #[test]
    fn a_refused_message_keeps_its_rows_and_stops_its_keys() {
        let messages: Vec<Message> =
            pack(vec![row(1, "a", 1, 1), row(2, "a", 2, 1), row(3, "a", 3, 1)]);
        let answers = Answers {
            nacked: HashSet::from([messages[0].id]),
            returned: HashSet::from([messages[2].id]),
        };
        let settlement = settle(&messages, &answers);
        assert_eq!(settlement.confirmed, [2]);
        let stopped = [("a".to_owned(), "1".to_owned()), ("a".to_owned(), "3".to_owned())];
        assert_eq!(settlement.stopped, HashSet::from(stopped));
    }
}
