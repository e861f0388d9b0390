//! JSON Schemas of events, generated from their Rust types.
//!
//! A schema describes what a consumer must be able to read: the bytes of every release that published the event, not only those of
//! the newest.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::Value;

use crate::{
    envelope::Envelope,
    event::{Event, EventKind},
};

pub mod compatibility;
mod normal_form;
pub mod violations;

/// The name and version of the envelope: a message is a JSON array of envelopes.
pub const ENVELOPE: &str = "envelope.v1";

/// The keyword under which an event's schema names its aggregate. The aggregate is half of the routing key, so it must not change,
/// like a property.
pub const AGGREGATE: &str = "x-aggregate";

/// An event type, and the JSON Schema of its data.
#[derive(Debug, Clone)]
pub struct Contract {
    pub kind: EventKind,
    /// Self-contained: no references to other documents.
    pub schema: Value,
}

impl Contract {
    /// The contract of `E`.
    pub fn of<E: Event>() -> Self {
        let mut schema = schema_of::<E>(E::TYPE);
        if let Some(schema) = schema.as_object_mut() {
            schema.insert(AGGREGATE.to_owned(), E::AGGREGATE.into());
        }
        Self { kind: EventKind::of::<E>(), schema }
    }
}

/// The schema of one [`Envelope`], with any data.
pub fn envelope() -> Value {
    schema_of::<Envelope>(ENVELOPE)
}

/// The JSON Schema (2020-12) of a type, with the given title.
pub fn schema_of<T: JsonSchema>(title: &str) -> Value {
    let settings = SchemaSettings::draft2020_12().for_deserialize();
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    schema.to_value()
}
