//! `POST /v1/replays/{projection}`

use axum::extract::State;
use problem::{Json, Path, Problem, Query};
use runtime::{
    auth::Caller,
    replay::{ReplayParameters, ReplayReport, answer},
};

use crate::app::replay_offers::{OFFERS, OfferReplayer};

/// Rebuild the copy of the catalogue
///
/// Compares the offers with a snapshot of product-catalog and corrects the differences.
#[utoipa::path(
    post, path = "/v1/replays/{projection}", tag = "operations",
    params(("projection" = String, Path, description = "`offers`"), ReplayParameters),
    responses(
        (status = 200, body = ReplayReport),
        (status = 409, body = Problem, description = "`replay_runs` or `not_replayable`: nothing was changed"),
        (status = 503, body = Problem, description = "`replay_gave_up`: nothing was changed; try again"),
    ),
    security(("bearer" = ["ops"]))
)]
pub(crate) async fn replay_projection(
    caller: Caller,
    State(replayer): State<OfferReplayer>,
    Path(projection): Path<String>,
    Query(parameters): Query<ReplayParameters>,
) -> Result<Json<ReplayReport>, Problem> {
    answer(&caller, &projection, OFFERS, replayer.replay(parameters.mode())).await
}
