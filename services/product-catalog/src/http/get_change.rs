//! `GET /v1/changes/{id}`

use std::time::Duration;

use axum::extract::State;
use messaging::Outbox;
use problem::{Json, Path, Problem, Query};
use serde::Deserialize;
use tokio::time::Instant;
use utoipa::IntoParams;
use vocabulary::ChangeId;

use super::change_view::{ChangeView, find_change, wait_for_change, watch_change};
use crate::app::ChangeWatchers;

/// The maximum wait of a long poll.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// The wait of a long poll.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WaitQuery {
    /// Milliseconds to wait for the change to complete; at most 30,000. Default: no wait.
    wait_ms: Option<u64>,
}

/// Get the progress of a change
///
/// With `wait_ms`, the response waits until the change is complete.
#[utoipa::path(
    get, path = "/v1/changes/{id}", tag = "changes", params(("id" = ChangeId, Path), WaitQuery),
    responses(
        (status = 200, body = ChangeView, description = "The progress, complete or not"),
        (status = 404, body = Problem, description = "`not_found`: the change does not exist, or is too old"),
    )
)]
pub(super) async fn get_change(
    State(outbox): State<Outbox>,
    State(watchers): State<ChangeWatchers>,
    Path(id): Path<ChangeId>,
    Query(WaitQuery { wait_ms }): Query<WaitQuery>,
) -> Result<Json<ChangeView>, Problem> {
    let pool = outbox.pool();
    let change = find_change(pool, id).await?;
    let Some(wait_ms) = wait_ms else { return Ok(Json(ChangeView::read(pool, &change).await?)) };
    let deadline = Instant::now() + Duration::from_millis(wait_ms).min(MAX_WAIT);
    let mut watcher = watch_change(&watchers, &change)?;
    loop {
        let current = ChangeView::read(pool, &change).await?;
        if current.complete || !wait_for_change(&mut watcher, deadline).await {
            return Ok(Json(current));
        }
    }
}
