//! Checks that concern the head of every request.

use std::net::SocketAddr;

use axum::{
    extract::{ConnectInfo, Request},
    http::{
        HeaderMap, HeaderValue, StatusCode, Version,
        header::{ACCEPT_ENCODING, CONTENT_ENCODING, HOST},
    },
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use problem::Problem;

/// Refuses requests that two servers on the way could read in two ways, and bodies that no handler decodes.
pub(super) async fn check(request: Request, next: Next) -> Response {
    // Requests within the process, in tests, come over no connection and have no host.
    let is_remote = request.extensions().get::<ConnectInfo<SocketAddr>>().is_some();
    let needs_host = is_remote && request.version() == Version::HTTP_11;
    match refusal(needs_host, request.headers()) {
        Some(problem) => problem.into_response(),
        None => next.run(request).await,
    }
}

fn refusal(needs_host: bool, headers: &HeaderMap) -> Option<Problem> {
    let hosts = headers.get_all(HOST).iter().count();
    // RFC 9112, section 3.2.
    if hosts > 1 || (hosts == 0 && needs_host) {
        let problem = Problem::bad_request("invalid_host", "The header Host is not valid");
        return Some(problem.detail(format!("There must be one, and there are {hosts}.")));
    }
    let encodings = headers.get_all(CONTENT_ENCODING).iter();
    let mut encodings = encodings.map(HeaderValue::as_bytes);
    if encodings.any(|encoding| !encoding.eq_ignore_ascii_case(b"identity")) {
        let title = "The encoding of the body is not supported";
        return Some(
            Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_content_encoding", title)
                .detail("Send the body without Content-Encoding.")
                .header(ACCEPT_ENCODING, HeaderValue::from_static("identity")),
        );
    }
    None
}
