//! Use cases, one file each.

pub(crate) mod update_availability;
pub(crate) mod update_popularity;
pub(crate) mod write_products;
pub(crate) mod write_settings;

pub(crate) mod index_changes;
pub(crate) mod publish_receipts;
pub(crate) mod rebuild_index;

pub(crate) mod search_pool;
pub(crate) mod search_products;

pub(crate) mod consistency;
pub(crate) mod detect_drift;
pub(crate) mod repair_index;
pub(crate) mod repair_settings;

mod indexer_waker;
mod settings_waker;

pub(crate) use indexer_waker::IndexerWaker;
pub(crate) use settings_waker::SettingsWaker;
