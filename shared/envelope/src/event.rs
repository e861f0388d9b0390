//! The trait of an event type.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};

/// A fact that one service publishes and others may consume.
pub trait Event: Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static {
    /// The name with its version, such as `product.changed.v1`.
    const TYPE: &'static str;

    /// What the event is about: the first word of its routing key. Events of one aggregate and key keep their order.
    const AGGREGATE: &'static str;

    /// The key within the aggregate: an id or a SKU.
    fn key(&self) -> Cow<'_, str>;
}

/// An event that carries the full state of its key. The newest event alone leaves the same state as all events of the key in order.
///
/// The promise covers every event type of the aggregate that the subscription handles. A deletion is full state; an increment
/// never is. Subscriptions that process events out of order accept only such events.
pub trait FullState: Event {}

/// The type and aggregate of an event, as a service's topology lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventKind {
    /// [`Event::TYPE`].
    pub name: &'static str,
    /// [`Event::AGGREGATE`].
    pub aggregate: &'static str,
}

impl EventKind {
    /// The kind of `E`.
    pub const fn of<E: Event>() -> Self {
        Self { name: E::TYPE, aggregate: E::AGGREGATE }
    }
}

/// Implements [`Event`] for a struct: its type, its aggregate, and an expression for its key.
///
/// ```
/// #[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
/// struct LampLitV1 {
///     lamp: String,
/// }
///
/// envelope::event!(LampLitV1, "lamp.lit.v1", "lamp", event => event.lamp.as_str());
/// ```
#[macro_export]
macro_rules! event {
    ($name:ident, $type:literal, $aggregate:expr, $event:ident => $key:expr) => {
        impl $crate::Event for $name {
            const TYPE: &'static str = $type;
            const AGGREGATE: &'static str = $aggregate;

            fn key(&self) -> std::borrow::Cow<'_, str> {
                let $event = self;
                $key.into()
            }
        }
    };
}
