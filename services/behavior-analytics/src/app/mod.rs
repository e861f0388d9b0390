//! The use cases, one file each, and the shared [`recommender`].

pub(crate) mod model_waker;
pub(crate) mod recommender;

pub(crate) mod erase_customers;
pub(crate) mod erase_visitor;
pub(crate) mod ingest_events;
pub(crate) mod publish_popularity;
pub(crate) mod repair_popularity;
pub(crate) mod replay_user_events;
pub(crate) mod store_user_events;
