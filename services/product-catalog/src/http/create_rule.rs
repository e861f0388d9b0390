//! `POST /v1/rules`

use axum::{extract::State, http::StatusCode};
use idempotency::{Executed, Request, StoredResponse, request_body};
use messaging::{Criticality, Outbox};
use problem::{IdempotencyKey, Json, Problem};
use runtime::{
    auth::{Caller, Scope},
    messaging::admit,
};

use super::{rule_draft::RuleDraftBody, rule_view::RuleView, settings_not_written};
use crate::app::{self, CreateRuleCommand};

/// Create a merchandising rule
///
/// Searches apply it within a second.
#[utoipa::path(
    post, path = "/v1/rules", tag = "search", request_body = RuleDraftBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "A repetition with the same key and body creates no second rule")),
    responses(
        (status = 201, body = RuleView, headers(
            ("ETag" = String, description = "The version"),
            ("Location" = String, description = "The path of the rule"),
        )),
        (status = 409, body = Problem, description = "`too_many_rules`: 1,000 rules exist"),
        (status = 422, body = Problem, description = "`validation_failed`: lists every invalid field"),
    ),
    security(("bearer" = ["catalog:write"]))
)]
pub(super) async fn create_rule(
    caller: Caller,
    State(outbox): State<Outbox>,
    key: Option<IdempotencyKey>,
    Json(draft): Json<RuleDraftBody>,
) -> Result<Executed, Problem> {
    caller.require(Scope::CatalogWrite)?;
    admit(&outbox, Criticality::Deferrable)?;
    let body = request_body(&draft)?;
    let (caller, operation) = (caller.subject(), "create_rule");
    let request = Request { caller, operation, key: key.as_ref(), body: &body };
    idempotency::execute(&outbox, request, async |tx| {
        let content = draft.into_content(tx).await?;
        let created = app::create_rule(tx, CreateRuleCommand { content }).await;
        let rule = created.map_err(settings_not_written)?;
        let (etag, location) = (format!("\"{}\"", rule.version), format!("/v1/rules/{}", rule.id));
        let response = StoredResponse::json(StatusCode::CREATED, &RuleView::from(rule))?;
        Ok(response.header("etag", etag).header("location", location))
    })
    .await
}
