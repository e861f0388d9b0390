//! `GET /v1/lost-commits`

use ::messaging::{
    Outbox,
    reconcile::{self, RecordedLoss},
};
use axum::extract::State;
use problem::{Json, Problem, Query};
use serde::{Deserialize, Serialize};

use crate::auth::{Caller, Scope};

/// The default and the largest number of keys.
const DEFAULT_LIMIT: u16 = 50;
const MAX_LIMIT: u16 = 500;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct ListLostCommitsParameters {
    /// How many keys, newest first; 1 to 500, default 50.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u16>,
}

/// Keys whose commits this database has lost, newest first.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct LostCommitList {
    #[schema(value_type = Vec<Object>)]
    items: Vec<RecordedLoss>,
}

/// List the commits that this database has lost
///
/// The database was restored from a backup, or a copy took over that lacked commits. The command `reconcile` found these keys:
/// a subscriber has seen events up to `seen`, and this service knows those up to `last`.
#[utoipa::path(
    get, path = "/v1/lost-commits", tag = "operations", params(ListLostCommitsParameters),
    responses((status = 200, body = LostCommitList)), security(("bearer" = ["ops"]))
)]
pub(super) async fn list_lost_commits(
    caller: Caller,
    State(outbox): State<Outbox>,
    Query(ListLostCommitsParameters { limit }): Query<ListLostCommitsParameters>,
) -> Result<Json<LostCommitList>, Problem> {
    caller.require(Scope::Ops)?;
    let limit = i64::from(limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT));
    let mut connection = outbox.pool().acquire().await?;
    let items = reconcile::lost_commits(&mut connection, limit).await?;
    Ok(Json(LostCommitList { items }))
}
