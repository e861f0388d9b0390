//! `POST /v1/rules`

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use idempotency::{Claim, Request, StoredResponse};
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
) -> Result<Response, Problem> {
    caller.require(Scope::CatalogWrite)?;
    admit(&outbox, Criticality::Deferrable)?;
    let body = serde_json::to_vec(&draft).map_err(|error| Problem::internal_from(&error))?;

    let mut tx = outbox.begin().await?;
    let (caller, operation) = (caller.subject(), "create_rule");
    let request = Request { caller, operation, key: key.as_ref(), body: &body };
    let key = match idempotency::claim(&mut tx, request).await? {
        Claim::Replay(response) => return Ok(response.into_response()),
        Claim::Acquired(key) => key,
    };
    let content = draft.into_content(&mut tx).await?;
    let created = app::create_rule(&mut tx, CreateRuleCommand { content }).await;
    let rule = created.map_err(settings_not_written)?;
    let (etag, location) = (format!("\"{}\"", rule.version), format!("/v1/rules/{}", rule.id));
    let response = StoredResponse::json(StatusCode::CREATED, &RuleView::from(rule))?
        .header("etag", etag)
        .header("location", location);
    key.record(&mut tx, &response).await?;
    tx.commit().await?;
    Ok(response.into_response())
}
