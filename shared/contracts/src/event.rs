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
