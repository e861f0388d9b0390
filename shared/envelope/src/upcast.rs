//! Old versions of an event, read as the new version.

use std::{
    borrow::{Borrow, Cow},
    fmt,
};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::event::Event;

/// An event of version `Old`, read as version `New`.
///
/// When a producer changes from `V1` to `V2`, outboxes, queues and dead letters still hold `V1`s. So consumers are released first:
/// they handle both versions with the same code. `New` converts from an `Old` (`impl From<&Old> for New`), the handler is generic
/// over the types that [borrow](Borrow) as `New`, and the subscription registers it twice:
///
/// ```text
/// impl<E: Event + Borrow<ProductChangedV2>> Handler for UpdateProduct<E> { type Event = E; … }
///
/// Subscription::to(PRODUCT, ["product-catalog"], OnReject::Continue)
///     .on(UpdateProduct::<ProductChangedV2>::default())
///     .on(UpdateProduct::<Upcast<ProductChangedV1, ProductChangedV2>>::default())
/// ```
///
/// Type, key, bytes and schema are those of `Old`: serialised again, the event equals what was received.
pub struct Upcast<Old, New> {
    original: Old,
    current: New,
}

impl<Old, New: for<'old> From<&'old Old>> From<Old> for Upcast<Old, New> {
    fn from(original: Old) -> Self {
        let current = New::from(&original);
        Self { original, current }
    }
}

impl<Old, New> Upcast<Old, New> {
    /// The event as it was published.
    pub const fn original(&self) -> &Old {
        &self.original
    }

    /// The event in the new version.
    pub const fn current(&self) -> &New {
        &self.current
    }
}

impl<Old, New> Borrow<New> for Upcast<Old, New> {
    fn borrow(&self) -> &New {
        &self.current
    }
}

impl<Old, New> Event for Upcast<Old, New>
where
    Old: Event,
    New: Event + for<'old> From<&'old Old>,
{
    const TYPE: &'static str = Old::TYPE;
    const AGGREGATE: &'static str = Old::AGGREGATE;

    fn key(&self) -> Cow<'_, str> {
        self.original.key()
    }
}

impl<Old: Serialize, New> Serialize for Upcast<Old, New> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.original.serialize(to)
    }
}

impl<'de, Old, New> Deserialize<'de> for Upcast<Old, New>
where
    Old: Deserialize<'de>,
    New: for<'old> From<&'old Old>,
{
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Old::deserialize(from).map(Self::from)
    }
}

impl<Old: JsonSchema, New> JsonSchema for Upcast<Old, New> {
    fn inline_schema() -> bool {
        Old::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        Old::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        Old::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Old::json_schema(generator)
    }
}

impl<Old: fmt::Debug, New> fmt::Debug for Upcast<Old, New> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upcast").field("original", &self.original).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Borrow;

    use schemars::JsonSchema;
    use serde::{Deserialize, Serialize};

    use super::Upcast;
    use crate::{envelope::Envelope, event, event::Event, schema::Contract};

    /// A lamp was lit; this version has no brightness.
    #[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
    struct LitV1 {
        lamp: String,
    }

    event!(LitV1, "lamp.lit.v1", "lamp", event => event.lamp.as_str());

    /// A lamp was lit.
    #[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
    struct LitV2 {
        lamp: String,
        brightness: u8,
    }

    event!(LitV2, "lamp.lit.v2", "lamp", event => event.lamp.as_str());

    impl From<&LitV1> for LitV2 {
        fn from(old: &LitV1) -> Self {
            Self { lamp: old.lamp.clone(), brightness: 100 }
        }
    }

    type Old = Upcast<LitV1, LitV2>;

    fn envelope(kind: &str, data: &str) -> Envelope {
        serde_json::from_str(&format!(
            r#"{{"specversion":"1.0","id":"01920000-0000-7000-8000-000000000001","source":"hall","type":"{kind}","subject":"k","time":"2026-11-22T08:00:00Z","sequence":"0000000000000000001","aggregate":"lamp","data":{data}}}"#
        ))
        .unwrap()
    }

    /// A handler that is generic over both versions.
    fn brightness<E: Event + Borrow<LitV2>>(envelope: &Envelope) -> u8 {
        assert_eq!(envelope.kind, E::TYPE);
        let event: E = envelope.data().unwrap();
        event.borrow().brightness
    }

    #[test]
    fn both_versions_are_read_as_the_new_one() {
        let (old, new) = (r#"{"lamp":"door"}"#, r#"{"lamp":"door","brightness":7}"#);
        assert_eq!(brightness::<Old>(&envelope("lamp.lit.v1", old)), 100);
        assert_eq!(brightness::<LitV2>(&envelope("lamp.lit.v2", new)), 7);
    }

    #[test]
    fn data_that_the_old_version_rejects_is_rejected() {
        assert!(envelope("lamp.lit.v1", r#"{"brightness":7}"#).data::<Old>().is_err());
    }

    #[test]
    fn type_key_bytes_and_schema_are_those_of_the_old_version() {
        let old = Old::from(LitV1 { lamp: "door".to_owned() });
        assert_eq!((Old::TYPE, Old::AGGREGATE, &*old.key()), ("lamp.lit.v1", "lamp", "door"));
        assert_eq!(serde_json::to_string(&old).unwrap(), r#"{"lamp":"door"}"#);
        assert_eq!(Contract::of::<Old>().schema, Contract::of::<LitV1>().schema);
        assert_eq!(*old.original(), LitV1 { lamp: "door".to_owned() });
        assert_eq!(*old.current(), LitV2 { lamp: "door".to_owned(), brightness: 100 });
    }
}
