//! `POST /v1/dead-letters/redrive`

use ::messaging::{
    Criticality, Outbox, Topology,
    dead_letters::{self, RedriveReport},
};
use axum::extract::State;
use problem::{Json, Problem};

use super::selection::{DeadLetterSelection, require_known};
use crate::{
    auth::{Caller, Scope},
    messaging::admit,
};

/// Handle the selected dead letters again
///
/// Each takes effect once, and the order of a key is kept. The call works for up to ten seconds and answers with `next`,
/// which the next call sends as `after`. An interrupted call can be repeated.
#[utoipa::path(
    post, path = "/v1/dead-letters/redrive", tag = "operations", request_body = DeadLetterSelection,
    responses((status = 200, body = Value)), security(("bearer" = ["ops"]))
)]
pub(super) async fn redrive_dead_letters(
    caller: Caller,
    State(outbox): State<Outbox>,
    State(topology): State<Topology>,
    Json(request): Json<DeadLetterSelection>,
) -> Result<Json<RedriveReport>, Problem> {
    caller.require(Scope::Ops)?;
    let (selection, pace) = request.into_parts()?;
    admit(&outbox, Criticality::Deferrable)?;
    require_known(&mut *outbox.pool().acquire().await?, pace.after).await?;
    let redriven = dead_letters::redrive_many(&outbox, &topology, &selection, pace).await;
    redriven.map(Json).map_err(Problem::from)
}
