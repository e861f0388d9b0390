use axum::extract::State;
use problem::{Json, Problem};
use runtime::auth::{Caller, Scope};

use super::not_kept_up;
use crate::upkeep::{Repair, Upkeep};

/// Puts the index right.
///
/// First with what this service holds itself, then with the whole catalogue, under the guard of the versions: what was heard
/// meanwhile is not undone.
#[utoipa::path(
    post, path = "/v1/index/repair", tag = "index",
    responses((status = 200, body = Repair)), security(("bearer" = ["ops"]))
)]
pub(super) async fn repair(
    caller: Caller,
    State(upkeep): State<Upkeep>,
) -> Result<Json<Repair>, Problem> {
    caller.require(Scope::Ops)?;
    let repair = upkeep.repair().await.map_err(not_kept_up)?;
    tracing::info!(by = caller.subject(), ?repair, "the index was repaired");
    Ok(Json(repair))
}
