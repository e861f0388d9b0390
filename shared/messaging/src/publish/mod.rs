//! Publishing: the transactional outbox, the relay that empties it, and backpressure.

pub(crate) mod admission;
pub(crate) mod answers;
pub(crate) mod backpressure;
mod leadership;
pub(crate) mod lease;
pub(crate) mod message_copies;
pub(crate) mod message_log;
pub(crate) mod outbox;
pub(crate) mod outbox_monitor;
pub(crate) mod packing;
pub(crate) mod partition;
pub(crate) mod pending_event;
pub(crate) mod positions;
mod prober;
pub(crate) mod publisher;
pub(crate) mod relay;
mod reminders;
pub(crate) mod suspensions;
pub(crate) mod table;
pub(crate) mod transaction;
pub(crate) mod waker;
pub(crate) mod write_guard;

use std::time::Duration;

/// The timeout of a database operation.
const QUERY_TIMEOUT: Duration = Duration::from_secs(15);
