//! The envelope: a CloudEvents 1.0 event in its JSON format, and batches of envelopes.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::event_id::EventId;

/// The content type of a message: a JSON array of CloudEvents.
pub const BATCH_CONTENT_TYPE: &str = "application/cloudevents-batch+json";

/// One event on the wire. Attribute names are those of [CloudEvents 1.0](https://github.com/cloudevents/spec) and its
/// `sequence` and distributed-tracing extensions; `aggregate`, `priority`, `keyid`, `signature` and `encryption` are our extensions.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Envelope {
    /// Always `1.0`.
    pub specversion: SpecVersion,
    /// Globally unique. The broker may deliver a message twice; consumers recognise its events by this id.
    pub id: EventId,
    /// The service that published it.
    pub source: String,
    /// The event's type, see [`crate::Event::TYPE`].
    #[serde(rename = "type")]
    #[schemars(description = "The event's type with its version, such as `product.changed.v1`.")]
    pub kind: String,
    /// The key within the aggregate.
    pub subject: String,
    /// The time of publication, UTC.
    pub time: DateTime<Utc>,
    /// The position within (source, aggregate, subject): 1, 2, 3 … without gaps.
    #[serde(with = "sequence")]
    #[schemars(with = "String", regex(pattern = "^[0-9]{19}$"))]
    pub sequence: i64,
    /// What the event is about, see [`crate::Event::AGGREGATE`].
    #[schemars(description = "What the event is about: the first word of the routing key.")]
    pub aggregate: String,
    /// The W3C trace context of the cause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// Absent if normal.
    #[serde(default, skip_serializing_if = "Priority::is_normal")]
    pub priority: Priority,
    /// The id of the key that signed the event. Reserved: messages are signed as a whole, in their headers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyid: Option<String>,
    /// The signature over the attributes and the data. Reserved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// How personal fields of the data are encrypted. Reserved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<String>,
    /// The event itself, not decoded: consumers that ignore its type never parse it.
    #[schemars(with = "serde_json::Value")]
    pub data: Box<RawValue>,
}

/// The version of CloudEvents. Any other version is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SpecVersion {
    #[serde(rename = "1.0")]
    V1,
}

/// The priority of an event. It matters only to consumers that dispatch by priority; all others ignore it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(extend("x-open" = true))]
pub enum Priority {
    /// Part of bulk work, such as an import: no user waits for this event.
    Bulk,
    /// A user may wait for it. Unknown values of newer releases are read as this.
    #[default]
    #[serde(other)]
    Normal,
}

impl Priority {
    /// Whether the attribute is omitted.
    pub const fn is_normal(&self) -> bool {
        matches!(self, Self::Normal)
    }
}

/// Why a message, an envelope or an event's data could not be decoded.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The message is not a JSON array of CloudEvents.
    #[error("the message is not a batch of CloudEvents")]
    Batch(#[source] serde_json::Error),
    /// An attribute is longer than 512 bytes or contains a NUL, which PostgreSQL cannot store.
    #[error("the attribute {0} is too long or holds a NUL")]
    Attribute(&'static str),
    /// The envelope was decoded, its data was not.
    #[error("the data of the event does not fit its type {kind}")]
    Data {
        kind: String,
        #[source]
        source: serde_json::Error,
    },
}

/// The longest attribute, in bytes.
const MAX_ATTRIBUTE_BYTES: usize = 512;

/// Whether a text is valid as an attribute: at most 512 bytes, and no NUL, which PostgreSQL cannot store.
pub fn fits_attribute(text: &str) -> bool {
    text.len() <= MAX_ATTRIBUTE_BYTES && !text.contains('\0')
}

impl Envelope {
    /// Checks length and content of every attribute.
    fn check(&self) -> Result<(), DecodeError> {
        let attributes = [
            ("source", self.source.as_str()),
            ("type", &self.kind),
            ("subject", &self.subject),
            ("aggregate", &self.aggregate),
            ("traceparent", self.traceparent.as_deref().unwrap_or_default()),
        ];
        match attributes.into_iter().find(|(_, text)| !fits_attribute(text)) {
            Some((name, _)) => Err(DecodeError::Attribute(name)),
            None => Ok(()),
        }
    }

    /// Decodes the event itself.
    pub fn data<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        serde_json::from_str(self.data.get())
            .map_err(|source| DecodeError::Data { kind: self.kind.clone(), source })
    }
}

/// Encodes `events` as the body of one message, in their order.
pub fn encode_batch(events: &[&Envelope]) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(events)
}

/// Decodes all events of a message.
pub fn decode_batch(body: &[u8]) -> Result<Vec<Envelope>, DecodeError> {
    serde_json::from_slice(body).map_err(DecodeError::Batch)
}

/// Decodes the events of a message one by one: a malformed event does not affect the others. Each error comes with the bytes of
/// its event.
pub fn decode_parts(body: &[u8]) -> Vec<Result<Envelope, (DecodeError, Vec<u8>)>> {
    let parts: Vec<&RawValue> = match serde_json::from_slice(body) {
        Ok(parts) => parts,
        Err(error) => return vec![Err((DecodeError::Batch(error), body.to_owned()))],
    };
    let read = |part: &RawValue| {
        let with_bytes = |error| (error, part.get().as_bytes().to_owned());
        let envelope: Envelope = serde_json::from_str(part.get())
            .map_err(|error| with_bytes(DecodeError::Batch(error)))?;
        envelope.check().map_err(with_bytes)?;
        Ok(envelope)
    };
    parts.into_iter().map(read).collect()
}

/// The sequence number as text that sorts like the number: nineteen digits with leading zeros.
mod sequence {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
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
    fn only_an_unusual_priority_is_encoded() {
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
    fn malformed_batches_are_rejected() {
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
    fn a_malformed_event_does_not_affect_its_neighbours() {
        let body = format!("[{ONE},17,{}]", ONE.replace("\"k\"", "\"a\\u0000b\""));
        let parts = decode_parts(body.as_bytes());
        assert_eq!(parts.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, false]);
    }

    #[test]
    fn unknown_attributes_are_ignored() {
        let newer = ONE.replace("\"data\"", "\"colour\":\"red\",\"data\"");
        assert_eq!(decode_batch(format!("[{newer}]").as_bytes()).unwrap().len(), 1);
    }
}
