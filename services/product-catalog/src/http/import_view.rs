//! The response body for an import.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;
use vocabulary::ImportId;

use crate::{
    domain::{DOWNSTREAM_SERVICES, ImportProgress, RefusedRow},
    storage::{changes, imports},
};

/// An import and its progress.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Import)]
pub(super) struct ImportView {
    id: ImportId,
    /// `running`, `done` or `failed`.
    #[schema(value_type = String, example = "running")]
    state: &'static str,
    /// `ndjson` or `csv`.
    #[schema(value_type = String, example = "ndjson")]
    format: &'static str,
    /// The number of products in the body.
    received: i64,
    /// The number of processed products.
    processed: i64,
    accepted: AcceptedRows,
    /// The number of refused products.
    refused: i64,
    /// The first 1,000 refused products, by line.
    refusals: Vec<RefusedRowView>,
    /// Why the whole import failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// When the whole body had arrived.
    received_at: DateTime<Utc>,
    /// When the last product was processed.
    finished_at: Option<DateTime<Utc>>,
    /// The progress of the import's changes in each service; absent while the import is running.
    #[serde(skip_serializing_if = "Option::is_none")]
    downstream: Option<Vec<AppliedCount>>,
}

/// The effects of the accepted products.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Accepted)]
pub(super) struct AcceptedRows {
    /// New products.
    created: i64,
    /// Products with a new version.
    updated: i64,
    /// Products that already had this content.
    unchanged: i64,
}

/// A refused product.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RefusedRow)]
pub(super) struct RefusedRowView {
    /// The line on which it begins.
    line: i64,
    reason: String,
}

/// The progress of an import's changes in one service.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AppliedCount {
    /// The directory name of the service.
    #[schema(value_type = String, example = "search-sync")]
    service: &'static str,
    /// The number of created and updated products that the service has applied.
    applied: i64,
}

impl ImportView {
    /// Reads an import, if it exists.
    pub(super) async fn read(
        connection: &mut PgConnection,
        id: ImportId,
    ) -> Result<Option<Self>, sqlx::Error> {
        let Some(progress) = imports::progress(connection, id).await? else { return Ok(None) };
        let refused_rows = if progress.refused > 0 {
            imports::refused_rows(connection, id).await?
        } else {
            Vec::new()
        };
        let downstream = match progress.finished_at {
            Some(_) => Some(applied_counts(connection, id).await?),
            None => None,
        };
        Ok(Some(Self::new(id, progress, refused_rows, downstream)))
    }

    fn new(
        id: ImportId,
        progress: ImportProgress,
        refused_rows: Vec<RefusedRow>,
        downstream: Option<Vec<AppliedCount>>,
    ) -> Self {
        let ImportProgress { created, updated, unchanged, refused, .. } = progress;
        Self {
            id,
            state: progress.state.as_str(),
            format: progress.format.as_str(),
            received: progress.received,
            processed: created + updated + unchanged + refused,
            accepted: AcceptedRows { created, updated, unchanged },
            refused,
            refusals: refused_rows.into_iter().map(RefusedRowView::from).collect(),
            reason: progress.reason,
            received_at: progress.received_at,
            finished_at: progress.finished_at,
            downstream,
        }
    }
}

impl From<RefusedRow> for RefusedRowView {
    fn from(row: RefusedRow) -> Self {
        Self { line: row.line, reason: row.reason }
    }
}

async fn applied_counts(
    connection: &mut PgConnection,
    id: ImportId,
) -> Result<Vec<AppliedCount>, sqlx::Error> {
    let counts = changes::count_applied(connection, id, &DOWNSTREAM_SERVICES).await?;
    let count = |service: &str| {
        counts.iter().find(|(name, _)| name == service).map_or(0, |(_, count)| *count)
    };
    let applied = |service| AppliedCount { service, applied: count(service) };
    Ok(DOWNSTREAM_SERVICES.map(applied).into())
}
