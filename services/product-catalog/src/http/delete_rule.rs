//! `DELETE /v1/rules/{id}`

use axum::{extract::State, http::StatusCode};
use messaging::{Criticality, Outbox};
use problem::{IfMatch, Path, Problem};
use runtime::{
    auth::{Caller, Scope},
    messaging::admit,
};
use vocabulary::RuleId;

use super::{lock_rule, settings_not_written};
use crate::app::{self, DeleteRuleCommand};

/// Delete a merchandising rule
///
/// Searches cease to apply it within a second. Its id is never used again.
#[utoipa::path(
    delete, path = "/v1/rules/{id}", tag = "search",
    params(
        ("id" = RuleId, Path),
        ("If-Match" = Option<String>, Header, description = "The version to delete"),
    ),
    responses(
        (status = 204),
        (status = 404, body = Problem, description = "`not_found`: the rule does not exist, or was deleted"),
        (status = 412, body = Problem, description = "`precondition_failed`: the rule has another version"),
    ),
    security(("bearer" = ["catalog:write"]))
)]
pub(super) async fn delete_rule(
    caller: Caller,
    State(outbox): State<Outbox>,
    Path(id): Path<RuleId>,
    if_match: Option<IfMatch>,
) -> Result<StatusCode, Problem> {
    caller.require(Scope::CatalogWrite)?;
    admit(&outbox, Criticality::Deferrable)?;

    let mut tx = outbox.begin().await?;
    let current = lock_rule(&mut tx, id, if_match).await?;
    let deleted = app::delete_rule(&mut tx, DeleteRuleCommand { current }).await;
    deleted.map_err(settings_not_written)?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
