//! The envelope: a CloudEvents 1.0 event in its JSON format, and batches of them.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use vocabulary::EventId;

/// The content type of a message: a JSON array of CloudEvents.
pub const BATCH_CONTENT_TYPE: &str = "application/cloudevents-batch+json";

/// One event as it travels. Attribute names are those of [CloudEvents 1.0](https://github.com/cloudevents/spec) and its
/// `sequence` and distributed-tracing extensions; `aggregate`, `priority`, `keyid`, `signature` and `encryption` are ours.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Envelope {
    /// Always `1.0`.
    pub specversion: SpecVersion,
    /// Unique for ever: the broker's message may come twice, its events are known by this.
    pub id: EventId,
    /// The service that says it.
    pub source: String,
    /// The event's type, see [`crate::Event::TYPE`].
    #[serde(rename = "type")]
    #[schemars(description = "The event's type with its version, such as `product.changed.v1`.")]
    pub kind: String,
    /// The key within the aggregate.
    pub subject: String,
    /// When it happened.
    pub time: DateTime<Utc>,
    /// The number within (source, aggregate, subject): 1, 2, 3 … without gaps.
    #[serde(with = "sequence")]
    #[schemars(with = "String", regex(pattern = "^[0-9]{19}$"))]
    pub sequence: i64,
    /// What it is about, see [`crate::Event::AGGREGATE`].
    #[schemars(description = "What it is about: the first word of the routing key.")]
    pub aggregate: String,
    /// The W3C trace context of what caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// How urgent it is; absent from what is as urgent as usual.
    #[serde(default, skip_serializing_if = "Priority::is_normal")]
    pub priority: Priority,
    /// Which key signed it. Room for later: nothing is signed yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyid: Option<String>,
    /// The signature over the attributes and the data. Room for later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// How personal fields of the data are encrypted. Room for later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<String>,
    /// The event itself, not yet decoded: who does not know its type need not understand it.
    #[schemars(with = "serde_json::Value")]
    pub data: Box<RawValue>,
}

/// The version of CloudEvents: nothing but 1.0 is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SpecVersion {
    /// The only one.
    #[serde(rename = "1.0")]
    V1,
}

/// How urgent an event is. Only those take notice who order what waits by it; to everybody else an event is an event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(extend("x-open" = true))]
pub enum Priority {
    /// Part of bulk work, such as an import: nobody waits for this one in particular.
    Bulk,
    /// Somebody may wait for it. What a newer release says and we do not know is read as this.
    #[default]
    #[serde(other)]
    Normal,
}

impl Priority {
    /// Whether it need not be said.
    pub const fn is_normal(&self) -> bool {
        matches!(self, Self::Normal)
    }
}

/// Why bytes are no batch of events, or an event's data not what its type says.
#[derive(Debug, thiserror::Error)]
pub enum Undecodable {
    /// The message is no JSON array of CloudEvents.
    #[error("the message is not a batch of CloudEvents")]
    Batch(#[source] serde_json::Error),
    /// An attribute is longer than any of ours, or holds a NUL, which no database of ours can keep.
    #[error("the attribute {0} is too long or holds a NUL")]
    Attribute(&'static str),
    /// The envelope was read, its data was not.
    #[error("the data of the event does not fit its type {kind}")]
    Data {
        /// The type that the envelope names.
        kind: String,
        /// Where it does not fit.
        #[source]
        source: serde_json::Error,
    },
}

/// The longest attribute.
const LONGEST_ATTRIBUTE: usize = 512;

/// Whether a text can be kept as an attribute: at most 512 bytes, and no NUL, which PostgreSQL does not take.
pub fn fits_attribute(text: &str) -> bool {
    text.len() <= LONGEST_ATTRIBUTE && !text.contains('\0')
}

impl Envelope {
    /// Whether every attribute can be kept.
    fn check(&self) -> Result<(), Undecodable> {
        let attributes = [
            ("source", self.source.as_str()),
            ("type", &self.kind),
            ("subject", &self.subject),
            ("aggregate", &self.aggregate),
            ("traceparent", self.traceparent.as_deref().unwrap_or_default()),
        ];
        match attributes.into_iter().find(|(_, text)| !fits_attribute(text)) {
            Some((name, _)) => Err(Undecodable::Attribute(name)),
            None => Ok(()),
        }
    }

    /// Reads the event itself.
    pub fn data<T: DeserializeOwned>(&self) -> Result<T, Undecodable> {
        serde_json::from_str(self.data.get())
            .map_err(|source| Undecodable::Data { kind: self.kind.clone(), source })
    }
}

/// The body of a message that carries `events`, in their order.
pub fn encode_batch(events: &[&Envelope]) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(events)
}

/// The events that a message carries.
pub fn decode_batch(body: &[u8]) -> Result<Vec<Envelope>, Undecodable> {
    serde_json::from_slice(body).map_err(Undecodable::Batch)
}

/// The events that a message carries, each read by itself: one that is none keeps the others from nothing. What cannot be
/// read comes with its bytes.
pub fn decode_parts(body: &[u8]) -> Vec<Result<Envelope, (Undecodable, Vec<u8>)>> {
    let parts: Vec<&RawValue> = match serde_json::from_slice(body) {
        Ok(parts) => parts,
        Err(error) => return vec![Err((Undecodable::Batch(error), body.to_owned()))],
    };
    let read = |part: &RawValue| {
        let undecodable = |error| (error, part.get().as_bytes().to_owned());
        let envelope: Envelope = serde_json::from_str(part.get())
            .map_err(|error| undecodable(Undecodable::Batch(error)))?;
        envelope.check().map_err(undecodable)?;
        Ok(envelope)
    };
    parts.into_iter().map(read).collect()
}

/// The sequence number as text that sorts like the number: nineteen digits, leading zeros.
mod sequence {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out a reference")]
    pub(super) fn serialize<S: Serializer>(number: &i64, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{number:019}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
        let text = std::borrow::Cow::<'_, str>::deserialize(from)?;
        match text.parse() {
            Ok(number) if number >= 1 => Ok(number),
            _ => Err(D::Error::custom("a sequence is a whole number from 1")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Envelope, Priority, decode_batch, decode_parts, encode_batch};

    const ONE: &str = r#"{"specversion":"1.0","id":"01920000-0000-7000-8000-000000000001","source":"order","type":"order.cancelled.v1","subject":"k","time":"2026-11-22T08:00:00Z","sequence":"0000000000000000007","aggregate":"order","data":{"a":1}}"#;

    #[test]
    fn an_envelope_survives_the_round_trip_byte_for_byte() {
        let envelope: Envelope = serde_json::from_str(ONE).unwrap();
        assert_eq!(envelope.sequence, 7);
        let bytes = encode_batch(&[&envelope]).unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), format!("[{ONE}]"));
    }

    #[test]
    fn the_priority_travels_where_it_is_unusual() {
        let bulk = ONE.replace("\"data\"", "\"priority\":\"bulk\",\"data\"");
        let envelope: Envelope = serde_json::from_str(&bulk).unwrap();
        assert_eq!(envelope.priority, Priority::Bulk);
        let bytes = encode_batch(&[&envelope]).unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), format!("[{bulk}]"));
        let newer = ONE.replace("\"data\"", "\"priority\":\"at_once\",\"data\"");
        for text in [ONE, newer.as_str()] {
            let envelope: Envelope = serde_json::from_str(text).unwrap();
            assert_eq!(envelope.priority, Priority::Normal, "{text}");
        }
    }

    #[test]
    fn what_is_no_batch_is_refused() {
        for bad in
            ["", "{}", "[1]", "null", &format!("[{}]", ONE.replace("0000000000000000007", "0"))]
        {
            assert!(decode_batch(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(
            decode_batch(format!("[{}]", ONE.replace("\"1.0\"", "\"0.3\"")).as_bytes()).is_err()
        );
    }

    #[test]
    fn one_bad_event_does_not_spoil_a_message() {
        let body = format!("[{ONE},17,{}]", ONE.replace("\"k\"", "\"a\\u0000b\""));
        let parts = decode_parts(body.as_bytes());
        assert_eq!(parts.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, false]);
    }

    #[test]
    fn unknown_attributes_are_no_reason_to_refuse() {
        let newer = ONE.replace("\"data\"", "\"colour\":\"red\",\"data\"");
        assert_eq!(decode_batch(format!("[{newer}]").as_bytes()).unwrap().len(), 1);
    }
}
