//! Replays as routes answer them.

use std::time::Duration;

use ::messaging::replay::{Mode, ReplayError, Report};
use problem::{Json, Problem};
use serde::{Deserialize, Serialize};

use crate::auth::{Caller, Scope};

/// How long a replay may take.
pub const LIMIT: Duration = Duration::from_mins(30);

/// When to ask again where another replay is under way.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// What is to be done with what differs.
#[derive(Debug, Clone, Copy, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    /// Only compare: leave the live projection as it is.
    #[serde(default)]
    compare_only: bool,
}

impl Wish {
    /// As the kit says it.
    pub const fn mode(self) -> Mode {
        if self.compare_only { Mode::Compare } else { Mode::Swap }
    }
}

/// What a replay did: rows compared, what differed with some samples, whether it was put right, seconds.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(transparent)]
#[schema(value_type = Object)]
pub struct Replayed(pub Report);

/// Answers a `caller` who has `asked` for a replay, of a service whose one `projection` it is that `replay` builds again.
pub async fn answer(
    caller: &Caller,
    asked: &str,
    projection: &str,
    replay: impl Future<Output = Result<Report, ReplayError>>,
) -> Result<Json<Replayed>, Problem> {
    caller.require(Scope::Ops)?;
    if asked != projection {
        return Err(Problem::not_found(format_args!("projection {asked}")));
    }
    let report = replay.await.map_err(not_replayed)?;
    tracing::info!(
        by = caller.subject(),
        differences = report.differences,
        swapped = report.swapped,
        "replayed"
    );
    Ok(Json(Replayed(report)))
}

/// The answer where a replay came to no end. The live projection is as it was.
#[expect(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
fn not_replayed(error: ReplayError) -> Problem {
    let detail = problem::chain(&error);
    match &error {
        ReplayError::Busy => {
            Problem::conflict("replay_runs", "The projection is being replayed already")
        }
        ReplayError::Snapshot { .. }
        | ReplayError::NoPause
        | ReplayError::TooSlow
        | ReplayError::StreamLost(_) => Problem::unavailable("replay_gave_up", RETRY_AFTER),
        ReplayError::Refused { .. }
        | ReplayError::Stuck(_)
        | ReplayError::Behind { .. }
        | ReplayError::Truncated(_) => {
            Problem::conflict("not_replayable", "What was told cannot be told again")
        }
        ReplayError::Kit(_) | ReplayError::NoKey(_) | ReplayError::NotHeard(_) => {
            return Problem::internal_from(&error);
        }
    }
    .detail(detail)
}
