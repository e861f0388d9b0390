//! The HTTP face: the route table, and one file per endpoint.

mod list;
mod span;

mod delete_visitor;
mod get_companions;
mod get_for_visitor;
mod get_funnel;
mod get_report;
mod get_sessions;
mod get_similar;
mod get_trending;
mod post_events;
mod post_replay;
mod post_session;

use problem::{FieldError, Problem};
use runtime::http::within;
use utoipa_axum::{
    router::{OpenApiRouter, UtoipaMethodRouterExt as _},
    routes,
};

use crate::{app::AppState, domain::event::VisitorId};

/// Every route of the service, beside those that every service has.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        // Public: what a shopper's browser sends and shows.
        .routes(routes!(post_events::post_events))
        .routes(routes!(get_similar::get_similar))
        .routes(routes!(get_companions::get_companions))
        .routes(routes!(get_for_visitor::get_for_visitor))
        .routes(routes!(post_session::post_session))
        .routes(routes!(get_trending::get_trending))
        // Scope `analytics:read`.
        .routes(routes!(get_funnel::get_funnel))
        .routes(routes!(get_sessions::get_sessions))
        .routes(routes!(get_report::get_report))
        .routes(routes!(delete_visitor::delete_visitor))
        // Scope `ops`.
        .routes(routes!(post_replay::post_replay).layer(within(runtime::replay::LIMIT)))
        .merge(runtime::messaging::dead_letter_routes())
}

/// An error of the kit: of the database, as far as requests are concerned.
#[expect(clippy::needless_pass_by_value, reason = "it is named in `map_err`")]
fn internal(error: messaging::Error) -> Problem {
    Problem::internal_from(&error)
}

/// The visitor that a path names.
fn visitor_in_path(parameter: &str, text: &str) -> Result<VisitorId, Problem> {
    VisitorId::parse(text).map_err(|error| {
        Problem::bad_request("invalid_path", "The path is not valid").errors(vec![FieldError::new(
            parameter,
            "invalid",
            error.to_string(),
        )])
    })
}

/// A parameter of the query string that makes no sense.
fn invalid_query(parameter: &str, message: impl Into<String>) -> Problem {
    Problem::bad_request("invalid_query", "The query string is not valid")
        .errors(vec![FieldError::new(parameter, "invalid", message)])
}
