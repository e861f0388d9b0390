//! `POST /v1/replays/{projection}`

use axum::extract::State;
use problem::{Json, Path, Problem, Query};
use runtime::{
    auth::Caller,
    replay::{ReplayParameters, ReplayReport, answer},
};

use crate::app::replay_user_events::{USER_EVENTS, UserEventReplayer};

/// Rebuild the stored user events
///
/// Replays the stream as far back as it reaches, compares the result with the stored events, and corrects the
/// differences.
#[utoipa::path(
    post, path = "/v1/replays/{projection}", tag = "operations",
    params(("projection" = String, Path, description = "`user_events`"), ReplayParameters),
    responses(
        (status = 200, body = ReplayReport),
        (status = 409, body = Problem, description = "`replay_runs` or `not_replayable`: nothing was changed"),
        (status = 503, body = Problem, description = "`replay_gave_up`: nothing was changed; try again"),
    ),
    security(("bearer" = ["ops"]))
)]
pub(super) async fn replay_projection(
    caller: Caller,
    State(replayer): State<UserEventReplayer>,
    Path(projection): Path<String>,
    Query(parameters): Query<ReplayParameters>,
) -> Result<Json<ReplayReport>, Problem> {
    answer(&caller, &projection, USER_EVENTS, replayer.replay(parameters.mode())).await
}
