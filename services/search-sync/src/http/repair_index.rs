use axum::extract::State;
use problem::{Json, Problem};
use runtime::auth::{Caller, Scope};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::{consistency::IndexConsistency, repair_index::IndexRepair};

/// The result of a repair.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Repair {
    /// Products that differed between the index and the service's own tables.
    reindexed: usize,
    /// Products of which the catalogue had a newer version, or has never published the one that was stored.
    refetched: usize,
    /// Products that are no longer in the catalogue.
    removed: usize,
    /// Synonyms and rules that differed from the catalogue.
    settings: u64,
    /// The number of the last change; `min_change` of a search waits for it.
    change: i64,
}

/// Repair the index
///
/// Repairs the index from the service's own tables, then these from the whole catalogue, synonyms and rules
/// included. A version that is higher than that of the catalogue was never published, and is replaced.
#[utoipa::path(
    post, path = "/v1/index/repair", tag = "index",
    responses((status = 200, body = Repair)), security(("bearer" = ["ops"]))
)]
pub(crate) async fn repair_index(
    caller: Caller,
    State(consistency): State<IndexConsistency>,
) -> Result<Json<Repair>, Problem> {
    caller.require(Scope::Ops)?;
    let repair = consistency.repair_index().await?;
    tracing::info!(by = caller.subject(), ?repair, "repaired the index");
    Ok(Json(repair.into()))
}

impl From<IndexRepair> for Repair {
    fn from(repair: IndexRepair) -> Self {
        let IndexRepair { reindexed, refetched, removed, settings, change } = repair;
        Self { reindexed, refetched, removed, settings, change }
    }
}
