//! `GET /v1/rules/{id}`

use axum::extract::State;
use messaging::Outbox;
use problem::{ETag, Json, Path, Problem};
use vocabulary::RuleId;

use super::{rule_not_found, rule_view::RuleView};
use crate::storage::rules;

/// Get a merchandising rule
#[utoipa::path(
    get, path = "/v1/rules/{id}", tag = "search", params(("id" = RuleId, Path)),
    responses(
        (status = 200, body = RuleView, headers(("ETag" = String, description = "The version"))),
        (status = 404, body = Problem, description = "`not_found`: the rule does not exist, or was deleted"),
    )
)]
pub(super) async fn get_rule(
    State(outbox): State<Outbox>,
    Path(id): Path<RuleId>,
) -> Result<(ETag, Json<RuleView>), Problem> {
    let mut connection = outbox.pool().acquire().await?;
    let rule = rules::find(&mut connection, id).await?.ok_or_else(|| rule_not_found(id))?;
    Ok((ETag(rule.version.get()), Json(rule.into())))
}
