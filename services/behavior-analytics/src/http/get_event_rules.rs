//! `GET /v1/event-rules`

use axum::extract::State;
use messaging::Outbox;
use problem::{Json, Problem};
use runtime::auth::{Caller, Scope};

use super::event_rules::EventRulesResponse;
use crate::storage::event_rules;

/// Get the rules that decide which events count
///
/// The report `event-verdicts` shows what each rule excluded. Excluded events are kept.
#[utoipa::path(
    get, path = "/v1/event-rules", tag = "analytics",
    responses((status = 200, body = EventRulesResponse)),
    security(("bearer" = ["analytics:read"]))
)]
pub(super) async fn get_event_rules(
    caller: Caller,
    State(outbox): State<Outbox>,
) -> Result<Json<EventRulesResponse>, Problem> {
    caller.require(Scope::AnalyticsRead)?;
    let mut connection = outbox.pool().acquire().await?;
    Ok(Json(event_rules::current(&mut connection).await?.into()))
}
