use axum::extract::State;
use problem::{Json, Problem};
use runtime::auth::{Caller, Scope};

use super::not_kept_up;
use crate::upkeep::{Drift, Upkeep};

/// What the index has otherwise than the catalogue.
///
/// Reads the whole catalogue. Differences that go away by themselves within seconds are not counted.
#[utoipa::path(
    get, path = "/v1/index/drift", tag = "index",
    responses((status = 200, body = Drift)), security(("bearer" = ["ops"]))
)]
pub(super) async fn drift(
    caller: Caller,
    State(upkeep): State<Upkeep>,
) -> Result<Json<Drift>, Problem> {
    caller.require(Scope::Ops)?;
    Ok(Json(upkeep.drift().await.map_err(not_kept_up)?))
}
