//! The timeout of requests.

use std::time::Duration;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use problem::Problem;
use tokio::{sync::watch, time::Instant};
use tower::util::MapRequestLayer;

/// The deadline of a request, which its route may move.
#[derive(Clone)]
struct Deadline {
    begun: Instant,
    end: watch::Sender<Instant>,
}

/// A layer that gives routes a timeout of their own instead of `REQUEST_TIMEOUT`.
///
/// The timeout ends with the head of the answer; a streamed body may take longer.
///
/// ```
/// # use std::time::Duration;
/// # use axum::{Router, routing::post};
/// # async fn import() {}
/// let router: Router = Router::new()
///     .route("/v1/imports", post(import).layer(runtime::http::within(Duration::from_secs(600))));
/// ```
pub fn within(
    limit: Duration,
) -> MapRequestLayer<impl Fn(Request) -> Request + Clone + Send + Sync + 'static> {
    MapRequestLayer::new(move |request: Request| {
        if let Some(deadline) = request.extensions().get::<Deadline>() {
            deadline.end.send_replace(deadline.begun + limit);
        }
        request
    })
}

/// Answers 503 `request_timeout` at the deadline. Dropping the handler rolls back its open transaction.
pub(super) async fn enforce(
    State(limit): State<Duration>,
    mut request: Request,
    next: Next,
) -> Response {
    let begun = Instant::now();
    let (end, mut ends) = watch::channel(begun + limit);
    request.extensions_mut().insert(Deadline { begun, end });
    let mut answer = std::pin::pin!(next.run(request));
    loop {
        let end = *ends.borrow_and_update();
        tokio::select! {
            biased;
            response = &mut answer => return response,
            () = tokio::time::sleep_until(end) => {
                tracing::warn!("request timed out");
                return Problem::unavailable("request_timeout", Duration::from_secs(1))
                    .detail("The request timed out. It may have taken effect.")
                    .into_response();
            }
            // The route's layer has moved the deadline. The branch is disabled once the request is dropped.
            Ok(()) = ends.changed() => {}
        }
    }
}
