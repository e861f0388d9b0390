//! The HTTP server of a service: its routes, the routes of every service, and the middleware around them.

mod deadline;
mod document;
mod observe;
mod pages;
mod problem_pages;
mod serve;
mod streams;

use std::any::Any;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    response::{IntoResponse as _, Response},
};
use problem::Problem;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;

pub use deadline::within;
pub use document::document;
pub use serve::{ServeError, serve};

use crate::{config, health::Health, lifecycle::Lifecycle, service::Service, telemetry};

/// The largest request body in bytes; a route may set its own `DefaultBodyLimit`.
pub const BODY_LIMIT: usize = 1024 * 1024;

/// The router of a service: `routes`, and `/health/live`, `/health/ready`, `/metrics`, `/openapi.json`, `/docs` and
/// `/problems/{code}`.
///
/// The middleware, from the outside in: trace context and span, 500 for panics, timeout (see [`within`]), end of event
/// streams at shutdown, body limit. An unknown route or method is answered with a problem.
pub fn router(
    service: &Service,
    routes: OpenApiRouter,
    health: &Health,
    lifecycle: &Lifecycle,
    config: &config::Http,
) -> Router {
    // Install the recorder before the first request.
    telemetry::metrics();
    let (routes, document) = routes.split_for_parts();
    routes
        .merge(pages::router(health.clone(), document::complete(service, document)))
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::from_fn_with_state(lifecycle.soft(), streams::end_at_shutdown))
        .layer(middleware::from_fn_with_state(config.request_timeout, deadline::enforce))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(observe::observe))
}

/// The panic hook of [`crate::telemetry::init`] has logged the panic itself.
fn panicked(_panic: Box<dyn Any + Send + 'static>) -> Response {
    tracing::error!("a handler panicked");
    Problem::internal().into_response()
}
