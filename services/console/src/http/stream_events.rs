//! `GET /ops/events`

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    http::{HeaderName, HeaderValue, header::CACHE_CONTROL},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use problem::Problem;
use tokio::sync::{broadcast, watch};

use crate::{
    event_batch::EventBatches,
    http::operator::Operator,
    status::Status,
    viewers::{ViewerGuard, Viewers},
};

/// How often an idle stream sends a comment, so that no intermediary closes it.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Follow events and status
///
/// Server-sent events: `state` first and after every change of status, `flow` for each batch of events, `skipped` if this
/// client was too slow and missed batches.
#[utoipa::path(
    get, path = "/ops/events", tag = "ops", security(("bearer" = ["ops"])),
    responses(
        (status = 200, description = "Server-sent events", content_type = "text/event-stream", body = String),
        (status = 401, description = "Missing or invalid token", body = Problem),
        (status = 403, description = "The token lacks the scope `ops`", body = Problem),
        (status = 503, description = "The console has no key to verify tokens, or too many clients follow", body = Problem),
    )
)]
pub(crate) async fn stream_events(
    _: Operator,
    State(viewers): State<Viewers>,
    State(batches): State<EventBatches>,
) -> Result<Response, Problem> {
    let Some(guard) = viewers.join() else {
        return Err(Problem::unavailable("too_many_watching", KEEP_ALIVE));
    };
    let subscription =
        Subscription { status: viewers.status(), batches: batches.subscribe(), _guard: guard };
    let stream = Sse::new(futures::stream::unfold(subscription, Subscription::next));
    let mut response = stream.keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Turns off response buffering in nginx and compatible proxies.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

/// The stream of one client.
struct Subscription {
    status: watch::Receiver<Status>,
    batches: broadcast::Receiver<Arc<str>>,
    _guard: ViewerGuard,
}

impl Subscription {
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Subscription)> {
        use broadcast::error::RecvError::{Closed, Lagged};
        let event = tokio::select! {
            biased;
            changed = self.status.changed() => {
                changed.ok()?;
                let status = serde_json::to_string(&*self.status.borrow_and_update());
                Event::default().event("state").data(status.unwrap_or_default())
            }
            batch = self.batches.recv() => match batch {
                Ok(batch) => Event::default().event("flow").data(&*batch),
                Err(Lagged(missed)) => {
                    Event::default().event("skipped").data(format!("{{\"bundles\":{missed}}}"))
                }
                Err(Closed) => return None,
            },
        };
        Some((Ok(event), self))
    }
}
