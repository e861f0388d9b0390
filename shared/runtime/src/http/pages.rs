//! The routes of every service: health, metrics, OpenAPI document and its browser.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, Request, State},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION,
        },
    },
    response::{IntoResponse, Response},
    routing::get,
};
use problem::Problem;
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::Config;

use super::{internal::is_internal, problem_pages::get_problem_page};
use crate::{
    auth::{Caller, Scope, Verifier},
    health::Health,
    telemetry,
};

/// What the API reference may load: its own files, the styles that its script sets, and pictures in its style sheet.
const DOCS_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

pub(super) fn router(health: Health, document: OpenApi, verifier: Option<Verifier>) -> Router {
    // Relative to the page, so that it also works behind a proxy's path prefix.
    let reference = Arc::new(Config::new(["../openapi.json"]));
    let document = Arc::new(document);
    Router::new()
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .with_state(health)
        .route("/metrics", get(metrics))
        .with_state(verifier)
        .route("/openapi.json", get(move || async move { Json(document).into_response() }))
        .route("/problems/{code}", get(get_problem_page))
        .route("/docs", get(to_docs))
        .route("/docs/", get(docs_index))
        .route("/docs/{*file}", get(docs_file))
        .with_state(reference)
}

/// Answers while the process runs.
async fn live() -> Response {
    Json(serde_json::json!({ "status": "up" })).into_response()
}

/// Answers 200 unless a component is down, and 503 otherwise; with the reasons of all that are not up.
async fn ready(State(health): State<Health>) -> Response {
    let readiness = health.readiness();
    let status =
        if readiness.status == "down" { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (status, [(CACHE_CONTROL, "no-store")], Json(readiness)).into_response()
}

/// The metrics of the process tell what the shop sells: they are for operators, and for whom the internal listener serves.
async fn metrics(State(verifier): State<Option<Verifier>>, request: Request) -> Response {
    if !is_internal(request.extensions())
        && let Err(problem) = check_operator(verifier.as_ref(), request.headers()).await
    {
        return problem.into_response();
    }
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(CONTENT_TYPE, kind)], telemetry::metrics().render()).into_response()
}

/// Without a verifier no token is valid.
async fn check_operator(verifier: Option<&Verifier>, headers: &HeaderMap) -> Result<(), Problem> {
    let caller = match verifier {
        Some(verifier) => Caller::of(headers, verifier).await?,
        None => None,
    };
    let anonymous = || Problem::unauthorized("Send a token of an operator, or read INTERNAL_ADDR.");
    caller.ok_or_else(anonymous)?.require(Scope::Ops)
}

/// Redirects to the address with a slash: the page loads its files relative to it.
async fn to_docs() -> Response {
    (StatusCode::PERMANENT_REDIRECT, [(LOCATION, "docs/")]).into_response()
}

async fn docs_index(State(config): State<Arc<Config<'static>>>) -> Response {
    docs("index.html", config)
}

async fn docs_file(
    Path(file): Path<String>,
    State(config): State<Arc<Config<'static>>>,
) -> Response {
    docs(&file, config)
}

/// A file of the embedded API reference.
fn docs(name: &str, config: Arc<Config<'static>>) -> Response {
    match utoipa_swagger_ui::serve(name, config) {
        Ok(Some(file)) => {
            let mut response = file.bytes.into_owned().into_response();
            let headers = response.headers_mut();
            headers.insert(CONTENT_SECURITY_POLICY, DOCS_POLICY);
            if let Ok(kind) = HeaderValue::from_str(&file.content_type) {
                headers.insert(CONTENT_TYPE, kind);
            }
            if file.gzpipped {
                headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            }
            response
        }
        Ok(None) => Problem::not_found(format_args!("page {name}")).into_response(),
        Err(error) => {
            tracing::error!(error = %error, "the API reference cannot be rendered");
            Problem::internal().into_response()
        }
    }
}
