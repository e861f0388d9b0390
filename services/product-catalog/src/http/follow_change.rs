use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::{Stream, stream};
use messaging::Kit;
use problem::{Path, Problem};
use sqlx::PgPool;
use tokio::time::{Instant, timeout_at};
use vocabulary::ChangeId;

use super::read_change::{Change, find, follow, look, news};
use crate::domain;
use crate::following::{Follower, Followers};

/// How long a stream lives at most; clients connect again by themselves.
const LONGEST_STREAM: Duration = Duration::from_mins(10);
/// How often a silent stream shows that it lives.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A change as it goes on, as server-sent events.
///
/// Each event has the type `change` and the body of `GET /v1/changes/{id}` as its data. The stream ends when the change is
/// complete.
#[utoipa::path(
    get, path = "/v1/changes/{id}/events", tag = "changes", params(("id" = uuid::Uuid, Path)),
    responses(
        (status = 200, body = Change, content_type = "text/event-stream"),
        (status = 404, body = Problem, description = "There is none, or it was too long ago"),
    )
)]
pub(super) async fn follow_change(
    State(kit): State<Kit>,
    State(followers): State<Followers>,
    Path(id): Path<ChangeId>,
) -> Result<Sse<impl Stream<Item = Result<Event, Problem>>>, Problem> {
    let change = find(kit.pool(), id).await?;
    let follower = follow(&followers, &change)?;
    let end = Instant::now() + LONGEST_STREAM;
    let following = Following { pool: kit.pool().clone(), change, follower, told: None, end };
    let events = stream::try_unfold(following, Following::next);
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

struct Following {
    pool: PgPool,
    change: domain::Change,
    follower: Follower,
    told: Option<Change>,
    end: Instant,
}

impl Following {
    /// The next event: how far the change has come, as soon as that is news.
    async fn next(mut self) -> Result<Option<(Event, Self)>, Problem> {
        if self.told.as_ref().is_some_and(|told| told.complete) {
            return Ok(None);
        }
        loop {
            let state = look(&self.pool, &self.change).await?;
            if self.told.as_ref() != Some(&state) {
                let event = Event::default().event("change").json_data(&state);
                let event = event.map_err(|error| Problem::internal_from(&error))?;
                self.told = Some(state);
                return Ok(Some((event, self)));
            }
            if timeout_at(self.end, news(&mut self.follower)).await.is_err() {
                return Ok(None);
            }
        }
    }
}
