//! `GET /v1/imports`

use axum::extract::State;
use chrono::{DateTime, Utc};
use messaging::Outbox;
use problem::{Json, Problem, Query};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use vocabulary::ImportId;

use super::{
    import_view::AcceptedRows,
    paging::{cut_page, decode_cursor, encode_cursor, page_limit},
};
use crate::{domain::ImportProgress, storage::imports};

const DEFAULT_LIMIT: u16 = 20;
const MAX_LIMIT: u16 = 100;

/// The page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ImportListQuery {
    /// The maximum number of imports: 1 to 100. Default: 20.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u16>,
    /// The `next_cursor` of the previous page. Default: the first page.
    cursor: Option<String>,
}

/// A page of imports, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ImportPage {
    items: Vec<ImportSummary>,
    /// The `cursor` of the next page; null on the last page.
    next_cursor: Option<String>,
}

/// An import and its counts. `GET /v1/imports/{id}` has the rows.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ImportSummary {
    id: ImportId,
    /// `running`, `done` or `failed`.
    #[schema(value_type = String, example = "done")]
    state: &'static str,
    /// `ndjson` or `csv`.
    #[schema(value_type = String, example = "csv")]
    format: &'static str,
    dry_run: bool,
    /// The number of products in the body.
    received: i64,
    /// The number of processed products.
    processed: i64,
    accepted: AcceptedRows,
    /// The number of refused products.
    refused: i64,
    /// The number of warnings.
    warned: i64,
    /// Why the whole import failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    received_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
}

/// List imports
///
/// The newest come first, page by page. Finished imports are deleted after some days.
#[utoipa::path(
    get, path = "/v1/imports", tag = "imports", params(ImportListQuery),
    responses((status = 200, body = ImportPage))
)]
pub(super) async fn list_imports(
    State(outbox): State<Outbox>,
    Query(query): Query<ImportListQuery>,
) -> Result<Json<ImportPage>, Problem> {
    let limit = page_limit(query.limit, DEFAULT_LIMIT, MAX_LIMIT)?;
    let before = decode_cursor(query.cursor.as_deref())?;
    let mut connection = outbox.pool().acquire().await?;
    let mut found = imports::list(&mut connection, before, i64::from(limit) + 1).await?;
    let has_more = cut_page(&mut found, limit);
    let next_cursor = found.last().filter(|_| has_more).map(|(id, _)| encode_cursor(id.as_uuid()));
    let items = found.into_iter().map(ImportSummary::from).collect();
    Ok(Json(ImportPage { items, next_cursor }))
}

impl From<(ImportId, ImportProgress)> for ImportSummary {
    fn from((id, progress): (ImportId, ImportProgress)) -> Self {
        let ImportProgress { created, updated, unchanged, refused, .. } = progress;
        Self {
            id,
            state: progress.state.as_str(),
            format: progress.format.as_str(),
            dry_run: progress.dry_run,
            received: progress.received,
            processed: created + updated + unchanged + refused,
            accepted: AcceptedRows { created, updated, unchanged },
            refused,
            warned: progress.warned,
            reason: progress.reason,
            received_at: progress.received_at,
            finished_at: progress.finished_at,
        }
    }
}
