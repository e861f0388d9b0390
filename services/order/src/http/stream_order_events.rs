//! `GET /v1/orders/{id}/events`

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
use messaging::Outbox;
use problem::{Path, Problem};
use runtime::auth::Caller;
use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;
use vocabulary::OrderId;

use super::{
    POLL_INTERVAL,
    access::{readable_status, watch},
    status_body::StatusBody,
};
use crate::{
    app::order_process::{OrderProcess, OrderWatcher},
    storage::timeline::{self, TimelineEntry},
};

/// The interval of the comments that keep the connection open.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The data of a server-sent event.
#[derive(Debug, Serialize)]
struct OrderEventBody<'a> {
    id: OrderId,
    status: StatusBody,
    at: DateTime<Utc>,
    service: &'a str,
    event: &'a str,
    detail: &'a Value,
}

/// Follow the events of an order
///
/// The stream starts with the latest event and ends with the event that reaches a final status. The data of each event is
/// `{"id", "status", "at", "service", "event", "detail"}`. With `Last-Event-ID` the stream resumes after that event.
#[utoipa::path(
    get, path = "/v1/orders/{id}/events", tag = "orders", params(("id" = OrderId, Path)),
    responses(
        (status = 200, description = "A stream of server-sent events.", content_type = "text/event-stream", body = String),
        (status = 204, description = "The order has ended and there is no event after `Last-Event-ID`; do not reconnect."),
    ),
    security(("bearer" = ["orders:read"]))
)]
pub(crate) async fn stream_order_events(
    caller: Caller,
    State(outbox): State<Outbox>,
    State(process): State<OrderProcess>,
    Path(id): Path<OrderId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let watcher = watch(&process, id)?;
    let status = readable_status(&outbox, &caller, id).await?;
    let last_seen =
        headers.get("last-event-id").and_then(|header| header.to_str().ok()?.parse().ok());
    let entries = {
        let mut connection = outbox.pool().acquire().await?;
        timeline::list_after(&mut connection, id, last_seen.unwrap_or(0)).await?
    };
    let mut pending = VecDeque::from(entries);
    if pending.is_empty() && status.is_final() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    if last_seen.is_none() {
        // A new client gets the latest event only; the timeline has the earlier ones.
        pending.drain(..pending.len().saturating_sub(1));
    }
    let position = pending.back().map(|last| last.position).or(last_seen).unwrap_or(0);
    let events = OrderEvents { outbox, watcher, id, pending, position, ended: false };
    let events = stream::unfold(events, OrderEvents::next);
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

struct OrderEvents {
    outbox: Outbox,
    watcher: OrderWatcher,
    id: OrderId,
    pending: VecDeque<TimelineEntry>,
    /// The position of the last entry that was read.
    position: i64,
    ended: bool,
}

impl OrderEvents {
    async fn next(mut self) -> Option<(Result<Event, sqlx::Error>, Self)> {
        loop {
            if let Some(entry) = self.pending.pop_front() {
                self.ended = entry.status.is_final();
                return Some((Ok(server_sent_event(self.id, &entry)), self));
            }
            if self.ended {
                return None;
            }
            self.watcher.changed(Instant::now() + POLL_INTERVAL).await;
            match self.read_more().await {
                Ok(entries) => {
                    self.position = entries.last().map_or(self.position, |last| last.position);
                    self.pending.extend(entries);
                }
                // The client reconnects with `Last-Event-ID`.
                Err(error) => return Some((Err(error), Self { ended: true, ..self })),
            }
        }
    }

    async fn read_more(&self) -> Result<Vec<TimelineEntry>, sqlx::Error> {
        let mut connection = self.outbox.pool().acquire().await?;
        timeline::list_after(&mut connection, self.id, self.position).await
    }
}

fn server_sent_event(id: OrderId, entry: &TimelineEntry) -> Event {
    let body = OrderEventBody {
        id,
        status: entry.status.into(),
        at: entry.at,
        service: &entry.service,
        event: &entry.event,
        detail: &entry.detail,
    };
    let data = serde_json::to_string(&body).unwrap_or_default();
    Event::default().id(entry.position.to_string()).data(data)
}
