//! Background loops, one file each.

pub(crate) mod importer;
pub(crate) mod retention;
pub(crate) mod sales;
pub(crate) mod synonym_publisher;
