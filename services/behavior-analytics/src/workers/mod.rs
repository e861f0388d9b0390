//! The background loops, one file each.

pub(crate) mod model_updater;
pub(crate) mod popularity_publisher;
pub(crate) mod recounter;
pub(crate) mod retention;
