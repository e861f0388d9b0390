//! `/api/{service}/…`

use std::time::Duration;

use axum::{
    extract::{Request, State},
    response::Response,
};
use problem::Problem;

use crate::proxy::Proxy;

const PREFIX: &str = "/api/";
/// Upper bound for a request, with its upload, until the response headers arrive.
pub(crate) const TIMEOUT: Duration = Duration::from_mins(15);

/// Forwards the request to the service.
pub(crate) async fn forward_request(
    State(proxy): State<Proxy>,
    request: Request,
) -> Result<Response, Problem> {
    // Not extracted with `Path`, which would decode an escaped slash.
    let path = request.uri().path().strip_prefix(PREFIX).unwrap_or_default();
    let (service, rest) = path.split_at(path.find('/').unwrap_or(path.len()));
    let (service, path) = (service.to_owned(), if rest.is_empty() { "/" } else { rest }.to_owned());
    proxy.forward(&service, &path, request).await
}
