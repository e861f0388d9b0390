//! `/api/{service}/…`

use std::time::Duration;

use axum::{
    extract::{Request, State},
    response::Response,
};
use percent_encoding::percent_decode_str;
use problem::Problem;

use crate::proxy::Proxy;

const PREFIX: &str = "/api/";
/// Upper bound for a request, with its upload, until the response headers arrive.
pub(crate) const TIMEOUT: Duration = Duration::from_mins(15);

/// What the services offer to operators and to one another, and not to the shop's visitors. Their own ports have it.
const INTERNAL: [&str; 4] = ["/metrics", "/ops/", "/v1/export", "/v1/snapshots/"];

/// Forwards the request to the service.
pub(crate) async fn forward_request(
    State(proxy): State<Proxy>,
    request: Request,
) -> Result<Response, Problem> {
    // Not extracted with `Path`, which would decode an escaped slash.
    let path = request.uri().path().strip_prefix(PREFIX).unwrap_or_default();
    let (service, rest) = path.split_at(path.find('/').unwrap_or(path.len()));
    let (service, path) = (service.to_owned(), if rest.is_empty() { "/" } else { rest }.to_owned());
    // A service that decodes escaped characters would find the route.
    let plain = percent_decode_str(&path).decode_utf8_lossy();
    if INTERNAL.iter().any(|internal| plain.starts_with(internal)) {
        return Err(problem::not_found(request.method().clone(), request.uri().clone()).await);
    }
    proxy.forward(&service, &path, request).await
}
