//! Messages of this service's own stream.

pub(crate) mod user_events;
