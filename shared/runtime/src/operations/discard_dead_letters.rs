//! `POST /v1/dead-letters/discard`

use ::messaging::{
    Outbox,
    dead_letters::{self, DiscardReport, Selection},
};
use axum::extract::State;
use problem::{FieldError, Json, Problem};

use super::selection::{DeadLetterSelection, require_known};
use crate::auth::{Caller, Scope};

/// Discard the selected dead letters
///
/// At least one of `consumer`, `reason`, `kind` and `cause` is required. The call works for up to ten seconds and answers
/// with `next`, which the next call sends as `after`.
#[utoipa::path(
    post, path = "/v1/dead-letters/discard", tag = "operations", request_body = DeadLetterSelection,
    responses((status = 200, body = Value)), security(("bearer" = ["ops"]))
)]
pub(super) async fn discard_dead_letters(
    caller: Caller,
    State(outbox): State<Outbox>,
    Json(request): Json<DeadLetterSelection>,
) -> Result<Json<DiscardReport>, Problem> {
    caller.require(Scope::Ops)?;
    let (selection, pace) = request.into_parts()?;
    if selection == Selection::default() {
        let message = "select dead letters by consumer, reason, kind or cause";
        return Err(Problem::validation(vec![FieldError::new("", "required", message)]));
    }
    // After the nil id, the call continues with messages that are not events.
    let after = pace.after.filter(|after| !after.is_nil());
    require_known(&mut *outbox.pool().acquire().await?, after).await?;
    dead_letters::discard_many(&outbox, &selection, pace).await.map(Json).map_err(Problem::from)
}
