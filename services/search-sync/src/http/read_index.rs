use axum::extract::State;
use chrono::{DateTime, Utc};
use messaging::Kit;
use problem::{Json, Problem};
use runtime::auth::{Caller, Scope};
use serde::Serialize;
use utoipa::ToSchema;

use super::searching::Searching;
use crate::{
    storage::{documents, receipts},
    tail::{Live, Progress, Rebuild, Rebuilder},
};

/// The index of the process that answers; every process has one.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct IndexState {
    /// How many products can be found.
    documents: u64,
    /// The number of the last change that searches see: what `min_version` without `product_id` is compared with.
    change: i64,
    /// How many products have changed since.
    behind: i64,
    /// How many versions are not yet confirmed to the catalogue.
    receipts_due: i64,
    /// When the last commit was; null where there was none since the start.
    committed_at: Option<DateTime<Utc>>,
    /// How large the index is on the disk.
    bytes: u64,
    /// In how many parts.
    segments: usize,
    /// Whether another one is being built beside it.
    rebuilding: bool,
    /// The last rebuild that was asked for since the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_rebuild: Option<Rebuild>,
}

/// How the index is.
#[utoipa::path(
    get, path = "/v1/index", tag = "index",
    responses((status = 200, body = IndexState)), security(("bearer" = ["ops"]))
)]
pub(super) async fn read_index(
    caller: Caller,
    State(live): State<Live>,
    State(kit): State<Kit>,
    State(searching): State<Searching>,
    State(rebuilder): State<Rebuilder>,
) -> Result<Json<IndexState>, Problem> {
    caller.require(Scope::Ops)?;
    let Progress { applied, committed_at } = live.progress();
    let size = searching.run(|index| Ok((index.documents(), index.bytes()?, index.segments())));
    let (documents, bytes, segments) = size.await?;
    let mut connection = kit.pool().acquire().await?;
    let behind = documents::count_after(&mut connection, applied).await?;
    let receipts_due = receipts::count(&mut connection).await?;
    let last_rebuild = rebuilder.last();
    Ok(Json(IndexState {
        documents,
        change: applied,
        behind,
        receipts_due,
        committed_at,
        bytes,
        segments,
        rebuilding: last_rebuild.as_ref().is_some_and(Rebuild::runs),
        last_rebuild,
    }))
}
