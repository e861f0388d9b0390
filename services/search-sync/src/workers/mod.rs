//! Background loops, one file each.

pub(crate) mod indexer;
