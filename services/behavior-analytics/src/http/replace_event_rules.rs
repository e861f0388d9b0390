//! `PUT /v1/event-rules`

use axum::extract::State;
use messaging::Outbox;
use problem::{Json, Problem};
use runtime::{
    auth::{Caller, Scope},
    clock,
};

use super::event_rules::{EventRulesResponse, Rules};
use crate::app::{
    change_event_rules::{ChangeEventRulesCommand, change_event_rules},
    rules_waker::RulesWaker,
};

/// Replace the rules that decide which events count
///
/// All stored events get new verdicts, and the model learns from them again. Until then `recounted` is false, and
/// answers are those of the former rules.
#[utoipa::path(
    put, path = "/v1/event-rules", tag = "analytics", request_body = Rules,
    responses((status = 200, body = EventRulesResponse), (status = 422, body = Problem)),
    security(("bearer" = ["ops"]))
)]
pub(super) async fn replace_event_rules(
    caller: Caller,
    State(outbox): State<Outbox>,
    State(waker): State<RulesWaker>,
    Json(rules): Json<Rules>,
) -> Result<Json<EventRulesResponse>, Problem> {
    caller.require(Scope::Ops)?;
    let command = ChangeEventRulesCommand {
        rules: rules.check()?,
        actor: caller.subject(),
        changed_at: clock::now(),
    };
    Ok(Json(change_event_rules(&outbox, &waker, command).await?.into()))
}
