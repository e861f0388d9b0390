//! Background loops that feed the operations page. They are idle while no page is open.

pub(crate) mod event_feed;
pub(crate) mod retention;
pub(crate) mod service_health;
