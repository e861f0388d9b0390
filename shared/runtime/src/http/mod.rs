//! The HTTP server of a service: its routes, the routes of every service, and the middleware around them.

mod admission;
mod certificate;
mod deadline;
mod document;
mod head;
mod head_deadline;
mod internal;
mod observe;
mod pages;
mod problem_pages;
mod request_body;
mod required_scopes;
mod security_headers;
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
pub use internal::ReadAccess;
pub use serve::{Addresses, ServeError, serve, serve_with_tls};

use self::{admission::Admission, required_scopes::RequiredScopes, streams::Ends};
use crate::{
    auth::Verifier, config, health::Health, lifecycle::Lifecycle, service::Service, telemetry,
};

/// The largest request body in bytes; a route may set its own `DefaultBodyLimit`.
pub const BODY_LIMIT: usize = 1024 * 1024;

/// The router of a service: `routes`, and `/health/live`, `/health/ready`, `/metrics`, `/openapi.json`, `/docs` and
/// `/problems/{code}`.
///
/// The middleware, from the outside in: trace context and span, security headers, 500 for panics, checks of the head, bounds
/// per client, the rest of unread bodies, timeout (see [`within`]), end of event streams, scopes, body limit. An
/// unknown route or method is answered with a problem.
///
/// The `verifier` recognises the subjects of tokens, which have bounds of their own, and checks the scopes that the OpenAPI
/// document names. Without it all clients are anonymous.
///
/// `/metrics` needs the scope `ops`, except through the internal listener of [`serve_with_tls`].
pub fn router(
    service: &Service,
    routes: OpenApiRouter,
    health: &Health,
    lifecycle: &Lifecycle,
    config: &config::Http,
    verifier: Option<&Verifier>,
) -> Router {
    // Install the recorder before the first request.
    telemetry::metrics();
    let (routes, document) = routes.split_for_parts();
    let document = document::complete(service, document);
    let scopes = verifier.map(|verifier| RequiredScopes::new(&document, verifier.clone()));
    let admission = Admission::new(config, verifier.cloned());
    let ends = Ends { stopping: lifecycle.soft(), verifier: verifier.cloned() };
    let mut router = routes
        .merge(pages::router(health.clone(), document, verifier.cloned()))
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY_LIMIT));
    if let Some(scopes) = scopes {
        router = router.layer(middleware::from_fn_with_state(scopes, required_scopes::check));
    }
    router
        .layer(middleware::from_fn_with_state(ends, streams::end))
        .layer(middleware::from_fn_with_state(config.request_timeout, deadline::enforce))
        .layer(middleware::from_fn(request_body::read_to_end))
        .layer(middleware::from_fn_with_state(admission, admission::admit))
        .layer(middleware::from_fn(head::check))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(security_headers::add))
        .layer(middleware::from_fn(observe::observe))
}

/// The panic hook of [`crate::telemetry::init`] has logged the panic itself.
fn panicked(_panic: Box<dyn Any + Send + 'static>) -> Response {
    tracing::error!("a handler panicked");
    Problem::internal().into_response()
}
