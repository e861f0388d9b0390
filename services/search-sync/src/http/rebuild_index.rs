use axum::{
    extract::State,
    http::{StatusCode, header::LOCATION},
    response::{IntoResponse as _, Response},
};
use problem::{Json, Problem};
use runtime::auth::{Caller, Scope};

use super::rebuild_view::Rebuild;
use crate::app::{consistency::IndexConsistency, rebuild_index::IndexRebuilder};

/// Rebuild the index
///
/// Builds a new index next to the one in use and replaces it once both contain the same changes. Versions that the
/// catalogue has never published are replaced before, if the catalogue answers.
/// `GET /v1/index` shows the progress. While a rebuild is running, this returns the running one.
#[utoipa::path(
    post, path = "/v1/index/rebuild", tag = "index",
    responses((status = 202, body = Rebuild)), security(("bearer" = ["ops"]))
)]
pub(crate) async fn rebuild_index(
    caller: Caller,
    State(rebuilder): State<IndexRebuilder>,
    State(consistency): State<IndexConsistency>,
) -> Result<Response, Problem> {
    caller.require(Scope::Ops)?;
    let rebuild = rebuilder.start(async move {
        if let Err(error) = consistency.replace_unpublished().await {
            let error = problem::chain(&error);
            tracing::warn!(error, "the index is rebuilt without a comparison with the catalogue");
        }
    });
    tracing::info!(by = caller.subject(), started_at = %rebuild.started_at, "rebuilding the index");
    let body = Json(Rebuild::from(rebuild));
    Ok((StatusCode::ACCEPTED, [(LOCATION, "/v1/index")], body).into_response())
}
