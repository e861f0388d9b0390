//! The use cases, one file each, and the shared [`recommender`].

pub(crate) mod model_waker;
pub(crate) mod recommender;
pub(crate) mod rules_waker;
pub(crate) mod sender;
pub(crate) mod visitor_limiter;

pub(crate) mod change_event_rules;
pub(crate) mod classify_events;
pub(crate) mod erase_customers;
pub(crate) mod erase_visitor;
pub(crate) mod ingest_events;
pub(crate) mod publish_popularity;
pub(crate) mod recount_events;
pub(crate) mod repair_popularity;
pub(crate) mod replay_user_events;
pub(crate) mod resolve_products;
pub(crate) mod store_user_events;
