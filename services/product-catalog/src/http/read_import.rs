use axum::extract::State;
use chrono::{DateTime, Utc};
use messaging::Kit;
use problem::{Json, Path, Problem};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;
use vocabulary::ImportId;

use crate::domain::DOWNSTREAM;
use crate::storage::{changes, imports};

/// How an import goes.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Import {
    /// Which import.
    pub(super) id: ImportId,
    /// `running`, `done` or `failed`.
    #[schema(example = "running")]
    state: String,
    /// `ndjson` or `csv`.
    #[schema(example = "ndjson")]
    format: String,
    /// How many products the body had.
    received: i64,
    /// How many of them have been worked off.
    processed: i64,
    /// What became of those that were taken.
    accepted: Accepted,
    /// How many were refused.
    refused: i64,
    /// The first 1,000 of those that were refused, by line.
    refusals: Vec<RefusedRow>,
    /// Why the import failed as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// When the body had arrived.
    received_at: DateTime<Utc>,
    /// When the last row had been worked off.
    finished_at: Option<DateTime<Utc>>,
    /// How many of its changes each service has applied; once it is no longer running.
    #[serde(skip_serializing_if = "Option::is_none")]
    downstream: Option<Vec<AppliedCount>>,
}

/// What became of the rows that were taken.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Accepted {
    /// New products.
    created: i64,
    /// Products that got a new version.
    updated: i64,
    /// Products that were like this before.
    unchanged: i64,
}

/// A row that was refused.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RefusedRow {
    /// On which line it begins.
    line: i64,
    /// Why.
    reason: String,
}

/// How far an import's changes have come in one service.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AppliedCount {
    /// The service, by its directory name.
    #[schema(value_type = String, example = "search-sync")]
    service: &'static str,
    /// How many of `created` and `updated` have taken effect there.
    applied: i64,
}

/// How an import goes.
#[utoipa::path(
    get, path = "/v1/imports/{id}", tag = "imports", params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = Import), (status = 404, body = Problem))
)]
pub(super) async fn read_import(
    State(kit): State<Kit>,
    Path(id): Path<ImportId>,
) -> Result<Json<Import>, Problem> {
    let mut connection = kit.pool().acquire().await?;
    let import = find(&mut connection, id).await?;
    Ok(Json(import.ok_or_else(|| Problem::not_found(format_args!("import {id}")))?))
}

/// The import, if there is one.
pub(super) async fn find(
    connection: &mut PgConnection,
    id: ImportId,
) -> Result<Option<Import>, sqlx::Error> {
    let Some(progress) = imports::progress(connection, id).await? else { return Ok(None) };
    let imports::Progress { created, updated, unchanged, refused, .. } = progress;
    let refusals = if refused > 0 { imports::refusals(connection, id).await? } else { Vec::new() };
    let refusal = |row: crate::domain::Refusal| RefusedRow { line: row.line, reason: row.reason };
    let downstream = match progress.finished_at {
        Some(_) => Some(applied(connection, id).await?),
        None => None,
    };
    Ok(Some(Import {
        id,
        state: progress.state,
        format: progress.format,
        received: progress.received,
        processed: created + updated + unchanged + refused,
        accepted: Accepted { created, updated, unchanged },
        refused,
        refusals: refusals.into_iter().map(refusal).collect(),
        reason: progress.reason,
        received_at: progress.received_at,
        finished_at: progress.finished_at,
        downstream,
    }))
}

async fn applied(
    connection: &mut PgConnection,
    id: ImportId,
) -> Result<Vec<AppliedCount>, sqlx::Error> {
    let counts = changes::count_applied(connection, id, &DOWNSTREAM).await?;
    let count = |service: &str| {
        counts.iter().find(|(name, _)| name == service).map_or(0, |(_, count)| *count)
    };
    Ok(DOWNSTREAM.map(|service| AppliedCount { service, applied: count(service) }).into())
}
