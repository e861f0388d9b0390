//! `GET /v1/orders/{id}/events`: an order followed live, as server-sent events.

use std::{collections::VecDeque, time::Duration};

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{
        IntoResponse as _, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use chrono::{DateTime, Utc};
use futures::stream;
use messaging::Kit;
use problem::{Path, Problem};
use runtime::auth::Caller;
use serde::Serialize;
use vocabulary::OrderId;

use super::access::readable;
use crate::{
    domain::Status,
    process::{Process, Watch},
    storage::timeline::{self, Written},
};

/// How often a comment tells the client, and what is between, that the line is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// One thing that happened to the order, and where the order stands after it.
#[derive(Debug, Serialize)]
struct Told<'a> {
    id: OrderId,
    status: Status,
    at: DateTime<Utc>,
    service: &'a str,
    event: &'a str,
    detail: &'a serde_json::Value,
}

/// Follows an order live.
///
/// First comes the last thing that happened, with the status that the order has; then everything that happens from then
/// on, until the order has reached a status that is final. The data of each event is
/// `{"id", "status", "at", "service", "event", "detail"}`; a client that comes back with `Last-Event-ID` misses nothing.
#[utoipa::path(
    get, path = "/v1/orders/{id}/events", tag = "orders", params(("id" = OrderId, Path)),
    responses(
        (status = 200, description = "A stream of server-sent events.", content_type = "text/event-stream", body = String),
        (status = 204, description = "Nothing has happened since `Last-Event-ID`, and nothing will: do not come back."),
    ),
    security(("bearer" = ["orders:read"]))
)]
pub(crate) async fn events(
    caller: Caller,
    State(kit): State<Kit>,
    State(process): State<Process>,
    Path(id): Path<OrderId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let watch = process.watch(id);
    let status = readable(&kit, &caller, id).await?;
    let seen = headers.get("last-event-id").and_then(|header| header.to_str().ok()?.parse().ok());
    let mut waiting = VecDeque::from(
        timeline::after(&mut *kit.pool().acquire().await?, id, seen.unwrap_or(0)).await?,
    );
    if waiting.is_empty() && status.is_final() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    if seen.is_none() {
        // What has been is in the timeline: who begins to follow wants to know where the order is now.
        waiting.drain(..waiting.len().saturating_sub(1));
    }
    let position = waiting.back().map(|last| last.position).or(seen).unwrap_or(0);
    let following = Following { kit, watch, id, waiting, position, ended: false };
    let events = stream::unfold(following, Following::next);
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

/// A client that follows an order.
struct Following {
    kit: Kit,
    watch: Watch,
    id: OrderId,
    waiting: VecDeque<Written>,
    position: i64,
    ended: bool,
}

impl Following {
    async fn next(mut self) -> Option<(Result<Event, sqlx::Error>, Self)> {
        loop {
            if let Some(written) = self.waiting.pop_front() {
                self.ended = written.status.is_final();
                return Some((Ok(told(self.id, &written)), self));
            }
            if self.ended {
                return None;
            }
            self.watch.changed(None).await;
            match self.look().await {
                Ok(more) => {
                    self.position = more.last().map_or(self.position, |last| last.position);
                    self.waiting.extend(more);
                }
                // The client comes back and says what it saw last.
                Err(error) => return Some((Err(error), Self { ended: true, ..self })),
            }
        }
    }

    async fn look(&self) -> Result<Vec<Written>, sqlx::Error> {
        timeline::after(&mut *self.kit.pool().acquire().await?, self.id, self.position).await
    }
}

fn told(id: OrderId, written: &Written) -> Event {
    let told = Told {
        id,
        status: written.status,
        at: written.at,
        service: &written.service,
        event: &written.event,
        detail: &written.detail,
    };
    let data = serde_json::to_string(&told).unwrap_or_default();
    Event::default().id(written.position.to_string()).data(data)
}
