use axum::{
    extract::State,
    http::{StatusCode, header::LOCATION},
    response::{IntoResponse as _, Response},
};
use problem::{Json, Problem};
use runtime::auth::{Caller, Scope};

use crate::tail::{Rebuild, Rebuilder};

/// Builds the index anew.
///
/// Beside the one in use, which goes on and takes changes until the new one has all that it has; then they change places.
/// `GET /v1/index` tells when that is. While one runs, this answers the one that runs.
#[utoipa::path(
    post, path = "/v1/index/rebuild", tag = "index",
    responses((status = 202, body = Rebuild)), security(("bearer" = ["ops"]))
)]
pub(super) async fn rebuild(
    caller: Caller,
    State(rebuilder): State<Rebuilder>,
) -> Result<Response, Problem> {
    caller.require(Scope::Ops)?;
    let started = rebuilder.start();
    tracing::info!(by = caller.subject(), started = %started.started_at, "the index is being rebuilt");
    Ok((StatusCode::ACCEPTED, [(LOCATION, "/v1/index")], Json(started)).into_response())
}
