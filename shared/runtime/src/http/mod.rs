//! The HTTP face of a service: its routes, those that every service has, and what surrounds them all.

mod deadline;
mod document;
mod observe;
mod pages;
mod serve;
mod streams;

use std::any::Any;

use axum::extract::DefaultBodyLimit;
use axum::response::{IntoResponse as _, Response};
use axum::{Router, middleware};
use problem::Problem;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;

pub use deadline::within;
pub use document::document;
pub use serve::{ServeError, serve};

use crate::health::Health;
use crate::{Lifecycle, Service, config, telemetry};

/// How large a body may be, in bytes, unless its route has a `DefaultBodyLimit` of its own.
pub const BODY_LIMIT: usize = 1024 * 1024;

/// The whole router of a service: `routes`, and beside them `/health/live`, `/health/ready`, `/metrics`, `/openapi.json`
/// and `/docs`.
///
/// Around all of them, from the outside in: the trace context and the span of the request, panics as 500, the deadline
/// ([`within`] gives a route its own), the end of event streams at shutdown, and the limit of bodies. Where there is no
/// route, or no such method, the answer is a problem, too.
pub fn router(
    service: &Service,
    routes: OpenApiRouter,
    health: &Health,
    lifecycle: &Lifecycle,
    config: &config::Http,
) -> Router {
    // From here on it is counted, whoever asks for the numbers later.
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

/// The panic itself is logged where it happens, by the hook of [`crate::telemetry::init`].
fn panicked(_panic: Box<dyn Any + Send + 'static>) -> Response {
    tracing::error!("a handler panicked");
    Problem::internal().into_response()
}
