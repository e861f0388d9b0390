//! `POST /v1/replays/{projection}`

use axum::extract::State;
use problem::{Json, Path, Problem, Query};
use runtime::{
    auth::Caller,
    replay::{Replayed, Wish, answer},
};

use crate::replaying::{Replays, USER_EVENTS};

/// Builds what is stored of visitors again from the stream of user events, as far back as the stream reaches, compares it with
/// what is there, and puts that right.
#[utoipa::path(
    post, path = "/v1/replays/{projection}", tag = "operations",
    params(("projection" = String, Path, description = "`user_events`"), Wish),
    responses(
        (status = 200, body = Replayed),
        (status = 409, body = Problem, description = "`replay_runs` or `not_replayable`: nothing was changed"),
        (status = 503, body = Problem, description = "`replay_gave_up`: nothing was changed; ask again"),
    ),
    security(("bearer" = ["ops"]))
)]
pub(super) async fn post_replay(
    caller: Caller,
    State(replays): State<Replays>,
    Path(projection): Path<String>,
    Query(wish): Query<Wish>,
) -> Result<Json<Replayed>, Problem> {
    answer(&caller, &projection, USER_EVENTS, replays.user_events(wish.mode())).await
}
