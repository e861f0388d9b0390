//! Partitions: the unit of routing.

use std::fmt;

use crate::naming::routing_key;

/// The events of one aggregate and slot. They are routed alike, so a queue that fails stops whole partitions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Partition {
    pub(crate) aggregate: String,
    pub(crate) slot: i16,
}

/// The routing key.
impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&routing_key(&self.aggregate, u8::try_from(self.slot).unwrap_or_default()))
    }
}
