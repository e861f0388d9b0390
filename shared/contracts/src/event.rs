//! What makes a struct an event.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};

/// A fact that one service says and others may hear.
pub trait Event: Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static {
    /// The name with its version, such as `product.changed.v1`.
    const TYPE: &'static str;

    /// What the event is about: the first word of its routing key. Events of one aggregate and key keep their order.
    const AGGREGATE: &'static str;

    /// Which one of them: an id or a SKU.
    fn key(&self) -> Cow<'_, str>;
}

/// An event that says all there is to know about its key. Whoever has heard it need not hear any earlier event of the key, be it
/// of this type or of another of the aggregate: the last one alone leaves behind what all of them in their order would.
///
/// So it is a promise about the whole aggregate as far as it is heard: what deletes is full state as well, what adds to or takes
/// from something never is. Only such events may be heard by
/// a subscription that takes them out of order.
pub trait FullState: Event {}

/// An event's type, known without an event at hand: what a service's topology lists.
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

/// Declares that a struct is an event: its type, its aggregate and how its key is read.
macro_rules! event {
    ($name:ident, $type:literal, $aggregate:expr, $event:ident => $key:expr) => {
        impl crate::Event for $name {
            const TYPE: &'static str = $type;
            const AGGREGATE: &'static str = $aggregate;

            fn key(&self) -> std::borrow::Cow<'_, str> {
                let $event = self;
                $key.into()
            }
        }
    };
}
pub(crate) use event;
