//! `/ops/dead-letters/{service}…`

use axum::{
    extract::{Request, State},
    response::Response,
};
use problem::Problem;

use crate::{dead_letters::SERVICE_ROUTE, http::operator::Operator, proxy::Proxy};

const PREFIX: &str = "/ops/dead-letters/";

/// Forwards the request to the service's own `/v1/dead-letters…`.
pub(crate) async fn forward_dead_letter_request(
    _: Operator,
    State(proxy): State<Proxy>,
    request: Request,
) -> Result<Response, Problem> {
    // Not extracted with `Path`, which would decode escaped characters.
    let path = request.uri().path().strip_prefix(PREFIX).unwrap_or_default();
    let (service, rest) = path.split_at(path.find('/').unwrap_or(path.len()));
    let (service, path) = (service.to_owned(), format!("{SERVICE_ROUTE}{rest}"));
    proxy.forward(&service, &path, request).await
}
