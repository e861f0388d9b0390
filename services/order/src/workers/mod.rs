//! Background tasks.

pub(crate) mod deadlines;
pub(crate) mod erasures;
pub(crate) mod order_batcher;
mod quarantine;
pub(crate) mod refunds;
pub(crate) mod retention;
pub(crate) mod webhooks;
