//! Positions of messages: how a subscriber notices that one is missing.
//!
//! The relay numbers the messages of each aggregate and slot without gaps. The number travels in the headers of the message, so
//! consumers of earlier versions ignore it.

use envelope::SLOTS;
use lapin::{
    message::Delivery,
    types::{AMQPValue, FieldTable},
};
use serde::{Deserialize, Serialize};

use crate::{
    naming::{consumer_queue, slot_group},
    slot_groups::DEFAULT_SLOT_GROUPS,
};

const HISTORY: &str = "history";
const SLOT: &str = "slot";
const POSITION: &str = "position";
const PURPOSE: &str = "purpose";
const UNTIL: &str = "until";

/// The position of a message among those of its publisher and aggregate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MessagePosition {
    /// When the history of the publisher's database began, in microseconds of Unix time. If the database goes back to an earlier state,
    /// its positions are given out a second time, in a new history.
    pub(crate) history: i64,
    pub(crate) slot: i16,
    /// From 1, without gaps within the slot.
    pub(crate) number: i64,
}

/// Why a message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// It is published.
    New,
    /// It is sent again to a subscriber that misses it.
    Again,
    /// It is the last message of its slot, sent again after a pause. It shows whether the slot is complete.
    Reminder,
    /// It has no events: the answer that the positions from its own until this one cannot be sent.
    Absent { until: i64, why: Absence },
}

/// Why a message cannot be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absence {
    /// The position was not used: the broker rejected the message, and its events were published with another position.
    Unused,
    /// The log no longer has it.
    Expired,
    /// The publisher has not given out any position from this one.
    Unknown,
}

impl Absence {
    const ALL: [Self; 3] = [Self::Unused, Self::Expired, Self::Unknown];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Unused => "unused",
            Self::Expired => "expired",
            Self::Unknown => "unknown",
        }
    }
}

/// A position as it arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ArrivedPosition {
    pub(crate) publisher: String,
    pub(crate) position: MessagePosition,
    pub(crate) purpose: Purpose,
    /// Whether the broker has delivered the message before.
    pub(crate) is_redelivered: bool,
}

/// Adds the headers of a position.
pub(crate) fn add_headers(headers: &mut FieldTable, position: MessagePosition, purpose: Purpose) {
    let mut number = |name: &str, value: i64| {
        headers.insert(name.into(), AMQPValue::LongLongInt(value));
    };
    number(HISTORY, position.history);
    number(SLOT, position.slot.into());
    number(POSITION, position.number);
    let purpose = match purpose {
        Purpose::New => return,
        Purpose::Again => "again",
        Purpose::Reminder => "reminder",
        Purpose::Absent { until, why } => {
            number(UNTIL, until);
            why.name()
        }
    };
    headers.insert(PURPOSE.into(), AMQPValue::LongString(purpose.into()));
}

/// The position of a delivery; `None` if the publisher does not number its messages.
pub(crate) fn of_delivery(delivery: &Delivery) -> Option<ArrivedPosition> {
    let headers = delivery.properties.headers().as_ref()?.inner();
    let number = |name: &str| headers.get(name)?.as_long_long_int();
    let position = MessagePosition {
        history: number(HISTORY)?,
        slot: i16::try_from(number(SLOT)?).ok()?,
        number: number(POSITION).filter(|number| *number >= 1)?,
    };
    let purpose = match headers.get(PURPOSE).and_then(AMQPValue::as_long_string) {
        None => Purpose::New,
        Some(text) => match text.as_bytes() {
            b"again" => Purpose::Again,
            b"reminder" => Purpose::Reminder,
            name => {
                let why = Absence::ALL.into_iter().find(|why| why.name().as_bytes() == name)?;
                Purpose::Absent { until: number(UNTIL)?, why }
            }
        },
    };
    let publisher = delivery.properties.app_id().as_ref()?.to_string();
    Some(ArrivedPosition { publisher, position, purpose, is_redelivered: delivery.redelivered })
}

/// A range of positions, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PositionRange {
    pub(crate) first: i64,
    pub(crate) last: i64,
}

/// What a subscriber asks a publisher for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MissingMessages {
    /// The service that misses them.
    pub(crate) subscriber: String,
    pub(crate) aggregate: String,
    pub(crate) slot: i16,
    /// The history that it knows.
    pub(crate) history: i64,
    pub(crate) ranges: Vec<PositionRange>,
    /// The queue for the answers. Subscribers of earlier versions do not name it: they have the default number of slot groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reply_queue: Option<String>,
}

impl MissingMessages {
    /// The queue for the answers; `None` if the request names a queue that is not one of this subscriber for the slot.
    pub(crate) fn answer_queue(&self) -> Option<String> {
        let slot = u8::try_from(self.slot).ok().filter(|slot| *slot < SLOTS)?;
        let queue =
            |groups| consumer_queue(&self.subscriber, &self.aggregate, slot_group(slot, groups));
        let Some(named) = &self.reply_queue else { return Some(queue(DEFAULT_SLOT_GROUPS)) };
        [1, 2, 4, 8, 16].into_iter().map(queue).find(|possible| possible == named)
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::any, prop_assert, proptest};

    use super::MissingMessages;

    fn answer_queue(slot: i16, reply_queue: &str) -> Option<String> {
        let request = format!(
            r#"{{"subscriber":"order","aggregate":"stock","slot":{slot},"history":1,"ranges":[]{reply_queue}}}"#
        );
        serde_json::from_str::<MissingMessages>(&request).unwrap().answer_queue()
    }

    #[test]
    fn an_answer_goes_to_a_queue_of_the_subscriber_only() {
        let named = |queue: &str| answer_queue(6, &format!(r#","reply_queue":"{queue}""#));
        for queue in ["order.stock.0", "order.stock.2", "order.stock.6"] {
            assert_eq!(named(queue).as_deref(), Some(queue));
        }
        let foreign = [
            "order.stock.1",
            "order.stock.14",
            "inventory.stock.2",
            "order.order.2",
            "order.dead",
            "",
        ];
        for queue in foreign {
            assert_eq!(named(queue), None, "{queue}");
        }
    }

    #[test]
    fn a_request_of_an_earlier_version_is_answered() {
        assert_eq!(answer_queue(7, "").as_deref(), Some("order.stock.1"));
        assert_eq!(answer_queue(16, ""), None);
        assert_eq!(answer_queue(-1, ""), None);
    }

    proptest! {
        #[test]
        fn arbitrary_requests_are_answered_to_their_subscriber(
            slot in any::<i16>(), subscriber in "[a-z.-]{0,12}", named in "\\PC{0,30}|[a-z.-]{1,12}.stock.[0-9]{1,2}",
        ) {
            let request = MissingMessages {
                subscriber: subscriber.clone(),
                aggregate: "stock".to_owned(),
                slot,
                history: 1,
                ranges: Vec::new(),
                reply_queue: Some(named),
            };
            if let Some(queue) = request.answer_queue() {
                let prefix = format!("{subscriber}.stock.");
                prop_assert!(queue.starts_with(&prefix), "{}", queue);
            }
        }

        #[test]
        fn arbitrary_bytes_are_no_request(bytes in vec(any::<u8>(), 0..60)) {
            prop_assert!(serde_json::from_slice::<MissingMessages>(&bytes).is_err());
        }
    }
}
