use std::time::Duration;

use axum::extract::State;
use messaging::Kit;
use problem::{Json, Path, Problem, Query};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use tokio::time::{Instant, timeout, timeout_at};
use utoipa::{IntoParams, ToSchema};
use vocabulary::{ChangeId, ProductId, Version};

use crate::domain::{self, Downstream, DownstreamStatus, downstream};
use crate::following::{Follower, Followers};
use crate::storage::{changes, receipts};

/// The longest that a request waits.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How often who waits looks without having been woken: the receipt may have come to another process.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long to wait.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wait {
    /// Milliseconds to wait at most until the change is complete; more than 30,000 is 30,000.
    wait_ms: Option<u64>,
}

/// A write to a product, and how far it has come.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub(super) struct Change {
    /// Which change.
    id: ChangeId,
    /// Of which product.
    product_id: ProductId,
    /// The version that it made.
    version: Version,
    /// Whether every service has applied it.
    pub(super) complete: bool,
    /// How far it has come in each service.
    downstream: Vec<Downstream>,
}

/// How far a change has come; waits for it to be complete.
#[utoipa::path(
    get, path = "/v1/changes/{id}", tag = "changes", params(("id" = uuid::Uuid, Path), Wait),
    responses(
        (status = 200, body = Change, description = "Complete, or as far as it has come"),
        (status = 404, body = Problem, description = "There is none, or it was too long ago"),
    )
)]
pub(super) async fn read_change(
    State(kit): State<Kit>,
    State(followers): State<Followers>,
    Path(id): Path<ChangeId>,
    Query(Wait { wait_ms }): Query<Wait>,
) -> Result<Json<Change>, Problem> {
    let change = find(kit.pool(), id).await?;
    let Some(wait_ms) = wait_ms else { return Ok(Json(look(kit.pool(), &change).await?)) };
    let deadline = Instant::now() + Duration::from_millis(wait_ms).min(LONGEST_WAIT);
    let mut follower = follow(&followers, &change)?;
    loop {
        let state = look(kit.pool(), &change).await?;
        if state.complete || timeout_at(deadline, news(&mut follower)).await.is_err() {
            return Ok(Json(state));
        }
    }
}

/// The change itself, or 404.
pub(super) async fn find(pool: &PgPool, id: ChangeId) -> Result<domain::Change, Problem> {
    let mut connection = pool.acquire().await?;
    let change = changes::find(&mut connection, id).await?;
    change.ok_or_else(|| Problem::not_found(format_args!("change {id}")))
}

/// A place among those who wait, or 503.
pub(super) fn follow(followers: &Followers, change: &domain::Change) -> Result<Follower, Problem> {
    followers.follow(change.product_id).ok_or_else(|| {
        Problem::unavailable("too_many_followers", Duration::from_secs(1))
            .detail("Too many requests wait for changes.")
    })
}

/// How far it has come by now.
pub(super) async fn look(pool: &PgPool, change: &domain::Change) -> Result<Change, Problem> {
    let mut connection = pool.acquire().await?;
    let receipts = receipts::of(&mut connection, change).await?;
    let downstream = downstream(change, &receipts);
    let complete = downstream.iter().all(|one| one.status == DownstreamStatus::Applied);
    let domain::Change { id, product_id, version, .. } = *change;
    Ok(Change { id, product_id, version, complete, downstream })
}

/// Waits until it is worth looking again.
pub(super) async fn news(follower: &mut Follower) {
    // Whether it was woken or not, there may be something new.
    let _ = timeout(LOOK_EVERY, follower.woken()).await;
}
