//! `GET /v1/snapshots/search`

use axum::extract::State;
use messaging::{
    Outbox,
    snapshot::{Entry, Page},
};
use problem::{Json, Problem, Query};
use runtime::{auth::Scope, http::ReadAccess};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use vocabulary::RuleId;

use super::paging::page_limit;
use crate::{
    domain::RuleState,
    publishes::{search_rule_changed, search_rule_removed, search_synonyms_changed},
    storage::{rules, synonyms},
};

const DEFAULT_LIMIT: u16 = 200;
const MAX_LIMIT: u16 = 500;

/// The requested page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SearchSnapshotQuery {
    /// The `next` of the previous page. Default: the first page.
    after: Option<RuleId>,
    /// The maximum number of rules: 1 to 500. Default: 200.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u16>,
}

/// Entries with `key`, `sequence`, `kind` and `data` in `items`, and the `after` of the next page in `next`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = Object)]
pub(super) struct SearchSnapshotPage(Page);

/// Get a snapshot of synonyms and rules as events
///
/// It bootstraps a new consumer, like the snapshot of products. The synonyms are on the last page. `INTERNAL_ADDR` needs no token.
#[utoipa::path(
    get, path = "/v1/snapshots/search", tag = "operations", params(SearchSnapshotQuery),
    responses((status = 200, body = SearchSnapshotPage)),
    security(("bearer" = ["ops"])), extensions(("x-open-at-internal-addr" = json!(true)))
)]
pub(super) async fn get_search_snapshot(
    access: ReadAccess,
    State(outbox): State<Outbox>,
    Query(query): Query<SearchSnapshotQuery>,
) -> Result<Json<SearchSnapshotPage>, Problem> {
    access.require(Scope::Ops)?;
    let limit = page_limit(query.limit, DEFAULT_LIMIT, MAX_LIMIT)?;
    let mut connection = outbox.pool().acquire().await?;
    let found = rules::list_with_sequence(&mut connection, query.after, i64::from(limit)).await?;
    let is_full = found.len() == usize::from(limit);
    let next = found.last().filter(|_| is_full).map(|last| last.rule.id.to_string());
    let mut items = found.iter().map(entry).collect::<Result<Vec<Entry>, _>>()?;
    if next.is_none()
        && let Some((list, sequence)) = synonyms::find_with_sequence(&mut connection).await?
    {
        items.push(Entry::of(&search_synonyms_changed(&list), sequence)?);
    }
    Ok(Json(SearchSnapshotPage(Page { items, next })))
}

/// The last event of a rule.
fn entry(state: &RuleState) -> Result<Entry, messaging::Error> {
    let RuleState { rule, removed_at, sequence } = state;
    match removed_at {
        None => Entry::of(&search_rule_changed(rule), *sequence),
        Some(removed_at) => {
            Entry::of(&search_rule_removed(rule.id, rule.version, *removed_at), *sequence)
        }
    }
}
