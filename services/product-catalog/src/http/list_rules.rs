//! `GET /v1/rules`

use axum::extract::State;
use messaging::Outbox;
use problem::{Json, Problem, Query};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    paging::{cut_page, decode_cursor, encode_cursor, page_limit},
    rule_view::RuleView,
};
use crate::storage::rules;

const DEFAULT_LIMIT: u16 = 50;
const MAX_LIMIT: u16 = 200;

/// The page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RuleQuery {
    /// The maximum number of rules: 1 to 200. Default: 50.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
    /// The `next_cursor` of the previous page. Default: the first page.
    cursor: Option<String>,
}

/// A page of rules, in the order of their creation.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RulePage {
    items: Vec<RuleView>,
    /// The `cursor` of the next page; null on the last page.
    next_cursor: Option<String>,
}

/// List merchandising rules
///
/// Those that have ended or not yet begun are included.
#[utoipa::path(
    get, path = "/v1/rules", tag = "search", params(RuleQuery),
    responses((status = 200, body = RulePage))
)]
pub(super) async fn list_rules(
    State(outbox): State<Outbox>,
    Query(query): Query<RuleQuery>,
) -> Result<Json<RulePage>, Problem> {
    let limit = page_limit(query.limit, DEFAULT_LIMIT, MAX_LIMIT)?;
    let after = decode_cursor(query.cursor.as_deref())?;
    let mut connection = outbox.pool().acquire().await?;
    let mut found = rules::list(&mut connection, after, i64::from(limit) + 1).await?;
    let has_more = cut_page(&mut found, limit);
    let next_cursor =
        found.last().filter(|_| has_more).map(|last| encode_cursor(last.id.as_uuid()));
    Ok(Json(RulePage { items: found.into_iter().map(RuleView::from).collect(), next_cursor }))
}
