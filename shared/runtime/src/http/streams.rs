//! Ends streams of server-sent events: at shutdown, which would wait for them otherwise, and when the token of the request expires.

use std::time::Duration;

use axum::{
    body::Body,
    extract::{Request, State},
    http::header::CONTENT_TYPE,
    middleware::Next,
    response::Response,
};
use futures::{StreamExt as _, future::Either};
use tokio_util::sync::CancellationToken;

use crate::{
    auth::{Verifier, bearer_token},
    clock,
};

/// What ends a stream.
#[derive(Clone)]
pub(super) struct Ends {
    pub(super) stopping: CancellationToken,
    pub(super) verifier: Option<Verifier>,
}

/// Ends bodies of type `text/event-stream` when the shutdown begins or the token expires. Clients reconnect, with a new token.
pub(super) async fn end(State(ends): State<Ends>, request: Request, next: Next) -> Response {
    let token = bearer_token(request.headers());
    // Admission has verified it.
    let caller = token.and_then(|token| ends.verifier.as_ref()?.verify(token).ok());
    let response = next.run(request).await;
    let is_stream = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    if !is_stream {
        return response;
    }
    let expired = match caller {
        Some(caller) => {
            let left = caller.expires_at().saturating_sub(clock::now().timestamp());
            let left = Duration::from_secs(u64::try_from(left).unwrap_or_default());
            Either::Left(tokio::time::sleep(left))
        }
        None => Either::Right(std::future::pending()),
    };
    let ended = async move {
        tokio::select! { () = ends.stopping.cancelled() => {}, () = expired => {} }
    };
    response.map(|body| Body::from_stream(body.into_data_stream().take_until(Box::pin(ended))))
}
