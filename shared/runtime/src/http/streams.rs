//! Ends streams of server-sent events at shutdown, which would wait for them otherwise.

use axum::{
    body::Body,
    extract::{Request, State},
    http::header::CONTENT_TYPE,
    middleware::Next,
    response::Response,
};
use futures::StreamExt as _;
use tokio_util::sync::CancellationToken;

/// Ends bodies of type `text/event-stream` when the shutdown begins. Clients reconnect.
pub(super) async fn end_at_shutdown(
    State(stopping): State<CancellationToken>,
    request: Request,
    next: Next,
) -> Response {
    let response = next.run(request).await;
    let is_stream = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    if !is_stream {
        return response;
    }
    response.map(|body| {
        let events = body.into_data_stream().take_until(stopping.cancelled_owned());
        Body::from_stream(events)
    })
}
