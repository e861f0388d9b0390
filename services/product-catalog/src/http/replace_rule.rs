//! `PUT /v1/rules/{id}`

use axum::extract::State;
use messaging::{Criticality, Outbox};
use problem::{ETag, IfMatch, Json, Path, Problem};
use runtime::{
    auth::{Caller, Scope},
    messaging::admit,
};
use vocabulary::RuleId;

use super::{lock_rule, rule_draft::RuleDraftBody, rule_view::RuleView, settings_not_written};
use crate::app::{self, ReplaceRuleCommand};

/// Replace a merchandising rule
///
/// Absent fields get their defaults. Equal content creates no version.
#[utoipa::path(
    put, path = "/v1/rules/{id}", tag = "search", request_body = RuleDraftBody,
    params(
        ("id" = RuleId, Path),
        ("If-Match" = Option<String>, Header, description = "The version to replace"),
    ),
    responses(
        (status = 200, body = RuleView, headers(("ETag" = String, description = "The version"))),
        (status = 404, body = Problem, description = "`not_found`: the rule does not exist, or was deleted"),
        (status = 412, body = Problem, description = "`precondition_failed`: the rule has another version"),
        (status = 422, body = Problem, description = "`validation_failed`: lists every invalid field"),
    ),
    security(("bearer" = ["catalog:write"]))
)]
pub(super) async fn replace_rule(
    caller: Caller,
    State(outbox): State<Outbox>,
    Path(id): Path<RuleId>,
    if_match: Option<IfMatch>,
    Json(draft): Json<RuleDraftBody>,
) -> Result<(ETag, Json<RuleView>), Problem> {
    caller.require(Scope::CatalogWrite)?;
    admit(&outbox, Criticality::Deferrable)?;

    let mut tx = outbox.begin().await?;
    let current = lock_rule(&mut tx, id, if_match).await?;
    let content = draft.into_content(&mut tx).await?;
    let replaced = app::replace_rule(&mut tx, ReplaceRuleCommand { current, content }).await;
    let rule = replaced.map_err(settings_not_written)?;
    tx.commit().await?;
    Ok((ETag(rule.version.get()), Json(rule.into())))
}
