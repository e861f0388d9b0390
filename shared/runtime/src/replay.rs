//! The endpoint that replays a projection, as services offer it.

use std::time::Duration;

use ::messaging::replay::{self, Mode, ReplayError};
use problem::{Json, Problem};
use serde::{Deserialize, Serialize};

use crate::auth::{Caller, Scope};

/// The timeout of a replay.
pub const REPLAY_TIMEOUT: Duration = Duration::from_mins(30);

/// `Retry-After` of a replay that gave up.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// Query parameters of a replay.
#[derive(Debug, Clone, Copy, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ReplayParameters {
    /// Only compare; do not change the live projection.
    #[serde(default)]
    compare_only: bool,
}

impl ReplayParameters {
    /// The kit's mode.
    pub const fn mode(self) -> Mode {
        if self.compare_only { Mode::Compare } else { Mode::Swap }
    }
}

/// The report of a replay: rows compared, differences with samples, whether they were repaired, seconds.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(transparent)]
#[schema(value_type = Object)]
pub struct ReplayReport(pub replay::ReplayReport);

/// Runs `replay` for a caller with scope `ops` if the `requested` projection is the service's `projection`.
pub async fn answer(
    caller: &Caller,
    requested: &str,
    projection: &str,
    replay: impl Future<Output = Result<replay::ReplayReport, ReplayError>>,
) -> Result<Json<ReplayReport>, Problem> {
    caller.require(Scope::Ops)?;
    if requested != projection {
        return Err(Problem::not_found(format_args!("projection {requested}")));
    }
    let report = replay.await.map_err(replay_problem)?;
    tracing::info!(
        by = caller.subject(),
        differences = report.differences,
        swapped = report.swapped,
        "projection replayed"
    );
    Ok(Json(ReplayReport(report)))
}

/// The answer for a failed replay, which has changed nothing.
#[expect(clippy::needless_pass_by_value, reason = "used with map_err")]
fn replay_problem(error: ReplayError) -> Problem {
    let detail = problem::chain(&error);
    match &error {
        ReplayError::Busy => {
            Problem::conflict("replay_runs", "Another replay of the projection is running")
        }
        ReplayError::Snapshot { .. }
        | ReplayError::NoPause
        | ReplayError::TooSlow
        | ReplayError::StreamLost(_) => Problem::unavailable("replay_gave_up", RETRY_AFTER),
        ReplayError::Rejected { .. }
        | ReplayError::HandlerFailed(_)
        | ReplayError::Behind { .. }
        | ReplayError::Truncated(_) => {
            Problem::conflict("not_replayable", "The projection cannot be replayed")
        }
        ReplayError::Messaging(_)
        | ReplayError::NoPrimaryKey(_)
        | ReplayError::NotSubscribed(_) => {
            return Problem::internal_from(&error);
        }
    }
    .detail(detail)
}
