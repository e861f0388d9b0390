//! The route table, and one file per endpoint.

mod audit_body;
mod operator;
mod record_actions;
mod staff;

mod create_session;
mod forward_dead_letter_request;
mod forward_request;
mod get_audit;
mod list_audits;
mod list_dead_letter_groups;
mod list_dead_letters;
mod list_queues;
mod list_token_keys;
mod pages;
mod start_audit;
mod stream_events;

use axum::{extract::FromRef, routing::any};
use utoipa_axum::{router::OpenApiRouter, routes};

pub use create_session::Identity;
pub(crate) use record_actions::{Recorder, record};

use crate::{proxy::Proxy, state::AppState};

/// Every route of the console, apart from those that every service has.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        // Public: the pages, and what the shop needs.
        .merge(pages::routes())
        .routes(routes!(create_session::create_session))
        .routes(routes!(list_token_keys::list_token_keys))
        .merge(proxy_routes())
        // Scope `ops`.
        .routes(routes!(stream_events::stream_events))
        .routes(routes!(list_queues::list_queues))
        .routes(routes!(list_dead_letters::list_dead_letters))
        .routes(routes!(list_dead_letter_groups::list_dead_letter_groups))
        .merge(dead_letter_routes())
        .merge(staff::routes())
        .routes(routes!(start_audit::start_audit, list_audits::list_audits))
        .routes(routes!(get_audit::get_audit))
}

/// `/api/{service}/…` with every method.
pub fn proxy_routes<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    Proxy: FromRef<S>,
{
    use forward_request::{TIMEOUT, forward_request};
    OpenApiRouter::new()
        .route("/api/{service}", any(forward_request))
        .route("/api/{service}/", any(forward_request))
        .route("/api/{service}/{*path}", any(forward_request))
        .layer(runtime::http::within(TIMEOUT))
}

/// `/ops/dead-letters/{service}…` with every method.
fn dead_letter_routes() -> OpenApiRouter<AppState> {
    use forward_dead_letter_request::forward_dead_letter_request;
    OpenApiRouter::new()
        .route("/ops/dead-letters/{service}", any(forward_dead_letter_request))
        .route("/ops/dead-letters/{service}/{*path}", any(forward_dead_letter_request))
}
