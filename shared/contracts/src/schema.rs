//! The JSON Schema of every event, made from its Rust type: what `docs/contracts` is written from.
//!
//! A schema says what a consumer must be able to read: the bytes of every release that has said the event, not only those
//! of the newest.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::Value;

use crate::{
    Envelope, Event, EventKind,
    behavior::{PopularityChangedV1, USER_EVENT, UserEventV1},
    catalog::{ProductChangedV1, ProductDeletedV1},
    inventory::{
        StockChangedV1, StockDeductedV1, StockRejectedV1, StockReleasedV1, StockReservedV1,
    },
    order::{
        OrderCancelledV1, OrderConfirmedV1, OrderDeliveredV1, OrderExpiredV1, OrderPaymentFailedV1,
        OrderPlacedV1, OrderRejectedV1, OrderShippedV1,
    },
    receipts::{ProductAppliedV1, ProductFailedV1},
};

/// The name and version of what carries every event but those of the stream: a message is a JSON array of them.
pub const ENVELOPE: &str = "envelope.v1";

/// The keyword under which an event's schema names its aggregate. The aggregate is half of the routing key, so it may change no
/// more than a property may.
pub const AGGREGATE: &str = "x-aggregate";

/// An event type, and the JSON Schema of its data.
#[derive(Debug, Clone)]
pub struct Contract {
    /// The event type.
    pub kind: EventKind,
    /// The schema, whole in itself.
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

/// Every version of every event that has ever shipped, whether somebody still says it or not: somewhere a queue, a dead
/// letter or a backup may hold one.
pub fn events() -> Vec<Contract> {
    vec![
        Contract::of::<ProductChangedV1>(),
        Contract::of::<ProductDeletedV1>(),
        Contract::of::<OrderPlacedV1>(),
        Contract::of::<OrderConfirmedV1>(),
        Contract::of::<OrderShippedV1>(),
        Contract::of::<OrderDeliveredV1>(),
        Contract::of::<OrderRejectedV1>(),
        Contract::of::<OrderPaymentFailedV1>(),
        Contract::of::<OrderExpiredV1>(),
        Contract::of::<OrderCancelledV1>(),
        Contract::of::<StockReservedV1>(),
        Contract::of::<StockRejectedV1>(),
        Contract::of::<StockReleasedV1>(),
        Contract::of::<StockDeductedV1>(),
        Contract::of::<StockChangedV1>(),
        Contract::of::<ProductAppliedV1>(),
        Contract::of::<ProductFailedV1>(),
        Contract::of::<PopularityChangedV1>(),
    ]
}

/// The schema of one [`Envelope`], with any data.
pub fn envelope() -> Value {
    schema_of::<Envelope>(ENVELOPE)
}

/// The schema of one [`UserEventV1`].
pub fn user_event() -> Value {
    schema_of::<UserEventV1>(USER_EVENT)
}

/// The JSON Schema (2020-12) of a type, under a title of ours.
fn schema_of<T: JsonSchema>(title: &str) -> Value {
    let settings = SchemaSettings::draft2020_12().for_deserialize();
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    schema.to_value()
}
