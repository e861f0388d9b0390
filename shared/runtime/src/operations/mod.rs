//! The endpoints with which operators manage a service's messaging: dead letters, republishing, queues and their metrics.

mod declare_lost;
mod discard_dead_letter;
mod discard_dead_letters;
mod dry_run_dead_letter;
mod edit_dead_letter;
mod get_dead_letter;
mod get_queue_metrics;
mod get_topology;
mod list_dead_letter_groups;
mod list_dead_letters;
mod list_lost_commits;
mod list_lost_events;
mod problems;
mod redrive_dead_letter;
mod redrive_dead_letters;
mod republish;
mod selection;

use std::time::Duration;

use ::messaging::{Outbox, Topology, republish::Republisher};
use axum::extract::FromRef;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{auth::Verifier, http};

/// The timeout of calls that run event handlers or publish: one handler alone may take its whole timeout.
const LONG_CALL_TIMEOUT: Duration = Duration::from_mins(2);

/// The routes of every service with messaging. They need the scope `ops`; `/ops/topology` does not at the internal listener.
pub fn routes<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    Outbox: FromRef<S>,
    Topology: FromRef<S>,
    Republisher: FromRef<S>,
    Verifier: FromRef<S>,
{
    let long_calls = OpenApiRouter::new()
        .routes(routes!(dry_run_dead_letter::dry_run_dead_letter))
        .routes(routes!(redrive_dead_letter::redrive_dead_letter))
        .routes(routes!(redrive_dead_letters::redrive_dead_letters))
        .routes(routes!(discard_dead_letters::discard_dead_letters))
        .routes(routes!(republish::republish));
    OpenApiRouter::new()
        .routes(routes!(list_dead_letters::list_dead_letters))
        .routes(routes!(list_dead_letter_groups::list_dead_letter_groups))
        .routes(routes!(get_dead_letter::get_dead_letter))
        .routes(routes!(edit_dead_letter::edit_dead_letter))
        .routes(routes!(discard_dead_letter::discard_dead_letter))
        .routes(routes!(declare_lost::declare_lost))
        .routes(routes!(list_lost_events::list_lost_events))
        .routes(routes!(list_lost_commits::list_lost_commits))
        .merge(long_calls.layer(http::within(LONG_CALL_TIMEOUT)))
        .routes(routes!(get_topology::get_topology))
        .routes(routes!(get_queue_metrics::get_queue_metrics))
}
