//! What a signature says: the bytes that are signed.

use sha2::{Digest as _, Sha256};

use crate::message_position::{Absence, MessagePosition, Purpose};

/// Separates these signatures from all others of the same key. A change of the format changes it.
const DOMAIN: &[u8] = b"messaging/1";

/// What a publisher states about a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Statement<'a> {
    pub(crate) publisher: &'a str,
    pub(crate) content: Content<'a>,
    pub(crate) body: &'a [u8],
}

/// What a message is, and where it belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content<'a> {
    /// The events of a position. A copy of the message is the same message: it takes effect once, wherever it arrives.
    Events { aggregate: &'a str, position: MessagePosition },
    /// The answer, in this queue, that there are no messages from this position until another one.
    Absent {
        aggregate: &'a str,
        position: MessagePosition,
        until: i64,
        why: Absence,
        queue: &'a str,
    },
    /// A request for missing messages of another service.
    Request { asked: &'a str },
    /// What a service appends to its own stream.
    Append { stream: &'a str },
}

impl<'a> Content<'a> {
    /// The content of a message with a position. `queue` is the one that it is sent to, if it is sent to one alone.
    pub(crate) const fn of_position(
        aggregate: &'a str,
        position: MessagePosition,
        purpose: Purpose,
        queue: &'a str,
    ) -> Self {
        match purpose {
            Purpose::New | Purpose::Again | Purpose::Reminder => {
                Self::Events { aggregate, position }
            }
            Purpose::Absent { until, why } => {
                Self::Absent { aggregate, position, until, why, queue }
            }
        }
    }
}

impl Statement<'_> {
    /// The bytes to sign. Each text has its length in front, so no two statements have the same bytes.
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Bytes(Vec::with_capacity(160));
        bytes.text(DOMAIN);
        bytes.text(self.publisher.as_bytes());
        match self.content {
            Content::Events { aggregate, position } => {
                bytes.text(b"events");
                bytes.position(aggregate, position);
            }
            Content::Absent { aggregate, position, until, why, queue } => {
                bytes.text(b"absent");
                bytes.position(aggregate, position);
                bytes.number(until);
                bytes.text(why.name().as_bytes());
                bytes.text(queue.as_bytes());
            }
            Content::Request { asked } => {
                bytes.text(b"request");
                bytes.text(asked.as_bytes());
            }
            Content::Append { stream } => {
                bytes.text(b"append");
                bytes.text(stream.as_bytes());
            }
        }
        // Ed25519 reads what it signs twice, and SHA-256 is faster than the hash that it uses.
        bytes.0.extend_from_slice(&Sha256::digest(self.body));
        bytes.0
    }
}

struct Bytes(Vec<u8>);

impl Bytes {
    fn text(&mut self, text: &[u8]) {
        self.number(i64::try_from(text.len()).unwrap_or(i64::MAX));
        self.0.extend_from_slice(text);
    }

    fn number(&mut self, number: i64) {
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    fn position(&mut self, aggregate: &str, position: MessagePosition) {
        let MessagePosition { history, slot, number } = position;
        self.text(aggregate.as_bytes());
        self.number(slot.into());
        self.number(history);
        self.number(number);
    }
}
