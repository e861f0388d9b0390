//! Background tasks.

pub(crate) mod deadlines;
pub(crate) mod erasures;
pub(crate) mod order_batcher;
pub(crate) mod provider_requests;
mod quarantine;
pub(crate) mod retention;
pub(crate) mod webhooks;
