//! Background loops, one file each.

pub(crate) mod pending_counts;
pub(crate) mod retention;
