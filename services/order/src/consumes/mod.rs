//! Event handlers: a folder for each publisher, a file for each event.

pub(crate) mod behavior_analytics;
pub(crate) mod inventory;
pub(crate) mod product_catalog;
