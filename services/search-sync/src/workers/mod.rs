//! Background loops, one file each.

pub(crate) mod indexer;
pub(crate) mod settings_loader;
