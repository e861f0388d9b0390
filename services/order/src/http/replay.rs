//! `POST /v1/replays/{projection}`

use axum::extract::State;
use problem::{Json, Path, Problem, Query};
use runtime::{
    auth::Caller,
    replay::{Replayed, Wish, answer},
};

use crate::replaying::{OFFERS, Replays};

/// Builds the copy of the catalogue again from what the catalogue has, compares it with what is there, and puts that right.
#[utoipa::path(
    post, path = "/v1/replays/{projection}", tag = "operations",
    params(("projection" = String, Path, description = "`offers`"), Wish),
    responses(
        (status = 200, body = Replayed),
        (status = 409, body = Problem, description = "`replay_runs` or `not_replayable`: nothing was changed"),
        (status = 503, body = Problem, description = "`replay_gave_up`: nothing was changed; ask again"),
    ),
    security(("bearer" = ["ops"]))
)]
pub(crate) async fn replay(
    caller: Caller,
    State(replays): State<Replays>,
    Path(projection): Path<String>,
    Query(wish): Query<Wish>,
) -> Result<Json<Replayed>, Problem> {
    answer(&caller, &projection, OFFERS, replays.offers(wish.mode())).await
}
