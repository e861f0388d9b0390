//! How an event reached the service.

use std::sync::Arc;

use chrono::TimeDelta;

/// What is known of an event beside what the visitor did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Circumstances {
    /// Whether the visitor's id has a signature of this service, or one of the shop's servers sent it.
    pub(crate) signed: bool,
    /// Whether the visitor has agreed to be measured.
    pub(crate) consent: bool,
    pub(crate) user_agent: Option<Arc<str>>,
    /// The visitor's place among those of its address within ten minutes, counted from 1. `None` if a server of
    /// the shop sent the event.
    pub(crate) visitor_place: Option<u32>,
    /// What was added to the client's clock.
    pub(crate) clock_offset: Option<TimeDelta>,
}
