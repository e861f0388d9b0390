//! Trace context, span and metrics of every request.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderName, HeaderValue, Method, StatusCode},
    middleware::Next,
    response::Response,
};
use envelope::trace::{self, TraceContext};
use tracing::Instrument as _;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Runs the request in its trace context and span, and records its metrics.
pub(super) async fn observe(request: Request, next: Next) -> Response {
    let route = match request.extensions().get::<MatchedPath>() {
        Some(route) => route.as_str().to_owned(),
        // Never the path itself: a scanner must not create a time series per path.
        None => "unmatched".to_owned(),
    };
    let method = method_label(request.method());
    let context = request
        .headers()
        .get(TRACEPARENT)
        .and_then(|header| header.to_str().ok())
        .and_then(TraceContext::parse)
        .map_or_else(TraceContext::root, TraceContext::child);
    let span = tracing::info_span!(
        "request",
        http.method = method,
        http.route = route,
        trace_id = context.trace_id()
    );
    let begun = Instant::now();
    let in_flight = InFlight::enter();
    let mut response = trace::scope(context, next.run(request)).instrument(span.clone()).await;
    drop(in_flight);
    if let Ok(value) = HeaderValue::from_str(&context.to_string()) {
        response.headers_mut().insert(TRACEPARENT, value);
    }
    let seconds = begun.elapsed().as_secs_f64();
    span.in_scope(|| log(response.status(), seconds));
    let labels = [
        ("method", method.to_owned()),
        ("route", route),
        ("status", response.status().as_u16().to_string()),
    ];
    metrics::counter!("http_requests_total", &labels).increment(1);
    metrics::histogram!("http_request_duration_seconds", &labels).record(seconds);
    response
}

/// The method as a label. Clients may invent methods, and each would be a time series of its own.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// Warns for server errors only: a log line per request would cost more than many requests.
fn log(status: StatusCode, seconds: f64) {
    let (status, http_latency_ms) = (status.as_u16(), seconds * 1_000.0);
    if status >= 500 {
        tracing::warn!(http.status = status, http.latency_ms = http_latency_ms, "request answered");
    } else {
        tracing::debug!(
            http.status = status,
            http.latency_ms = http_latency_ms,
            "request answered"
        );
    }
}

/// Counts a request in flight until it is dropped, also when the client disconnects.
struct InFlight;

impl InFlight {
    fn enter() -> InFlight {
        metrics::gauge!("http_requests_in_flight").increment(1.0);
        InFlight
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        metrics::gauge!("http_requests_in_flight").decrement(1.0);
    }
}
