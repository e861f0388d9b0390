//! The events that this service handles: one file per event, in a folder per publisher.

pub(crate) mod behavior_analytics;
pub(crate) mod inventory;
pub(crate) mod order;
pub(crate) mod product_catalog;
