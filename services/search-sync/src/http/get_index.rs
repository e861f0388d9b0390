use axum::extract::State;
use chrono::{DateTime, Utc};
use messaging::Outbox;
use problem::{Json, Problem};
use runtime::auth::{Caller, Scope};
use serde::Serialize;
use utoipa::ToSchema;

use super::rebuild_view::Rebuild;
use crate::{
    app::{
        rebuild_index::{self, IndexRebuilder},
        search_pool::SearchPool,
    },
    index::{IndexProgress, LiveIndex},
    storage::{documents, receipts},
};

/// The index of the process that answers. Every process has its own.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct IndexState {
    /// The number of searchable products.
    documents: u64,
    /// The number of the last change that searches see; `min_change` of a search refers to it.
    change: i64,
    /// The number of products that have changed since.
    behind: i64,
    /// The number of product versions without a published receipt.
    receipts_due: i64,
    /// The time of the last commit; null before the first one since the start.
    committed_at: Option<DateTime<Utc>>,
    /// The size on disk, in bytes.
    bytes: u64,
    segments: usize,
    /// Whether a rebuild is running.
    rebuilding: bool,
    /// The last requested rebuild since the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_rebuild: Option<Rebuild>,
}

/// Get the state of the index
#[utoipa::path(
    get, path = "/v1/index", tag = "index",
    responses((status = 200, body = IndexState)), security(("bearer" = ["ops"]))
)]
pub(crate) async fn get_index(
    caller: Caller,
    State(live): State<LiveIndex>,
    State(outbox): State<Outbox>,
    State(pool): State<SearchPool>,
    State(rebuilder): State<IndexRebuilder>,
) -> Result<Json<IndexState>, Problem> {
    caller.require(Scope::Ops)?;
    let IndexProgress { applied, committed_at } = live.progress();
    let size = pool.run(|index| Ok((index.documents(), index.bytes()?, index.segments())));
    let (documents, bytes, segments) = size.await?;
    let mut connection = outbox.pool().acquire().await?;
    let behind = documents::count_changed_after(&mut connection, applied).await?;
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
        rebuilding: last_rebuild.as_ref().is_some_and(rebuild_index::Rebuild::is_running),
        last_rebuild: last_rebuild.map(Rebuild::from),
    }))
}
