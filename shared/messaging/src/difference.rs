//! Objects of the broker that exist with other properties than declared.

use std::fmt;

use serde::Serialize;

use crate::declarations::QUEUE_TYPE;

/// What a name on the broker stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectKind {
    Exchange,
    Queue,
}

/// A property in which an exchange or queue differs from its declaration. The broker changes neither: delete the object, and it is
/// declared again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Difference {
    pub kind: ObjectKind,
    pub name: String,
    /// The type, an argument such as `x-delivery-limit`, or `durable`, `auto_delete` or `exclusive`.
    pub property: String,
    /// `None`: it should not be set.
    pub wanted: Option<String>,
    /// `None`: it is not set.
    pub found: Option<String>,
    /// Whether the object cannot be used at all: it has another type, for example. Otherwise it is used as it is.
    pub is_unusable: bool,
}

/// Properties without which an object is another kind of thing: a stream keeps what is acknowledged, a fanout exchange ignores
/// routing keys, a transient queue loses its messages.
const ESSENTIAL: [&str; 6] =
    [QUEUE_TYPE, "type", "durable", "auto_delete", "exclusive", "internal"];

impl Difference {
    pub(crate) fn new(
        kind: ObjectKind,
        name: &str,
        property: &str,
        wanted: Option<String>,
        found: Option<String>,
    ) -> Self {
        let is_unusable = ESSENTIAL.contains(&property);
        let (name, property) = (name.to_owned(), property.to_owned());
        Self { kind, name, property, wanted, found, is_unusable }
    }
}

impl fmt::Display for ObjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exchange => "exchange",
            Self::Queue => "queue",
        })
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_none = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
        let Self { kind, name, property, wanted, found, .. } = self;
        let (wanted, found) = (or_none(wanted), or_none(found));
        write!(f, "{kind} {name}: {property} is {found}, wanted is {wanted}")
    }
}
