//! `GET /v1/changes/{id}/events`

use std::time::Duration;

use axum::{
    extract::State,
    response::sse::{Event, KeepAlive, Sse},
};
use futures::{Stream, stream};
use messaging::Outbox;
use problem::{Path, Problem};
use sqlx::PgPool;
use tokio::time::Instant;
use vocabulary::ChangeId;

use super::change_view::{ChangeView, find_change, wait_for_change, watch_change};
use crate::{
    app::{ChangeWatcher, ChangeWatchers},
    domain::Change,
};

/// The maximum lifetime of a stream. Clients reconnect by themselves.
const MAX_STREAM: Duration = Duration::from_mins(10);
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// Stream the progress of a change
///
/// Server-sent events of type `change`, with the body of `GET /v1/changes/{id}` as data. The stream ends when
/// the change is complete.
#[utoipa::path(
    get, path = "/v1/changes/{id}/events", tag = "changes", params(("id" = ChangeId, Path)),
    responses(
        (status = 200, body = ChangeView, content_type = "text/event-stream"),
        (status = 404, body = Problem, description = "`not_found`: the change does not exist, or is too old"),
    )
)]
pub(super) async fn stream_change_events(
    State(outbox): State<Outbox>,
    State(watchers): State<ChangeWatchers>,
    Path(id): Path<ChangeId>,
) -> Result<Sse<impl Stream<Item = Result<Event, Problem>>>, Problem> {
    let pool = outbox.pool().clone();
    let change = find_change(&pool, id).await?;
    let watcher = watch_change(&watchers, &change)?;
    let end = Instant::now() + MAX_STREAM;
    let stream = ChangeStream { pool, change, watcher, last_sent: None, end };
    let events = stream::try_unfold(stream, ChangeStream::next);
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE_INTERVAL)))
}

struct ChangeStream {
    pool: PgPool,
    change: Change,
    watcher: ChangeWatcher,
    last_sent: Option<ChangeView>,
    end: Instant,
}

impl ChangeStream {
    /// Waits for the next change of the progress; none at the end of the stream.
    async fn next(mut self) -> Result<Option<(Event, Self)>, Problem> {
        if self.last_sent.as_ref().is_some_and(|last| last.complete) {
            return Ok(None);
        }
        loop {
            let current = ChangeView::read(&self.pool, &self.change).await?;
            if self.last_sent.as_ref() != Some(&current) {
                let event = Event::default().event("change").json_data(&current);
                let event = event.map_err(|error| Problem::internal_from(&error))?;
                self.last_sent = Some(current);
                return Ok(Some((event, self)));
            }
            if !wait_for_change(&mut self.watcher, self.end).await {
                return Ok(None);
            }
        }
    }
}
