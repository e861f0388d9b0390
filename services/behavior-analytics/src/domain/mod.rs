//! The recommender's model as plain data: it learns from events and answers queries. No I/O and no clock;
//! callers pass the time.
//!
//! In reading order: input ([`identity`], `event`, `rejection`, `product`, `basket`), what counts
//! (`visitor_keys`, `address_visitors`, `circumstances`, `event_rules`, `verdict`, `visitor_history`), the parts of the model
//! (`trending`, `popularity`, `funnel`, `sessions`, [`session_index`], [`companions`], `profiles`), lists
//! ([`recommendation`], `fallback`, `personalization`), and the `model` itself.

pub mod identity;

pub(crate) mod basket;
pub(crate) mod event;
pub(crate) mod product;
pub(crate) mod rejection;

pub(crate) mod address_visitors;
pub(crate) mod circumstances;
pub(crate) mod event_rules;
pub(crate) mod verdict;
pub(crate) mod visitor_history;
pub(crate) mod visitor_keys;

pub(crate) mod funnel;
pub(crate) mod popularity;
pub(crate) mod sessions;
pub(crate) mod trending;

pub mod companions;
pub(crate) mod profiles;
pub mod session_index;
mod slots;

pub(crate) mod fallback;
mod personalization;
pub mod recommendation;

pub(crate) mod model;
pub(crate) mod report;
