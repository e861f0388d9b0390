//! No request waits for ever.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use problem::Problem;
use tokio::sync::watch;
use tokio::time::Instant;
use tower::util::MapRequestLayer;

/// When the request must be answered, as a route may change it.
#[derive(Clone)]
struct Deadline {
    begun: Instant,
    end: watch::Sender<Instant>,
}

/// Gives routes a deadline of their own instead of `REQUEST_TIMEOUT`: more for a streamed upload or a long poll, less
/// where a late answer is worth nothing. The deadline is for the head of the answer; a streamed body may take longer.
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

/// 503 `request_timeout` once the deadline has passed. The handler is dropped: an open transaction of it is rolled back.
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
                tracing::warn!("a request took too long");
                return Problem::unavailable("request_timeout", Duration::from_secs(1))
                    .detail("The answer took too long; whether it took effect is not known.")
                    .into_response();
            }
            // Once the request is gone nobody can change the deadline any more.
            Ok(()) = ends.changed() => {}
        }
    }
}
