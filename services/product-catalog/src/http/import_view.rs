//! The response body for an import.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;
use vocabulary::{ImportId, ProductId};

use crate::{
    domain::{
        DOWNSTREAM_SERVICES, FieldChange, FileLayout, ImportProgress, ImportWarning, Preset,
        ProductPreview, RefusedRow,
    },
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
    /// Whether the import only reports what it would do.
    dry_run: bool,
    /// How the file was read; absent for NDJSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<FileLayoutView>,
    /// The number of products in the body.
    received: i64,
    /// The number of processed products.
    processed: i64,
    accepted: AcceptedRows,
    /// The number of refused products.
    refused: i64,
    /// The first 1,000 refused products, by line.
    refusals: Vec<RefusedRowView>,
    /// The number of warnings.
    warned: i64,
    /// The first 1,000 warnings, by line: what was not applied, although its product was.
    warnings: Vec<ImportWarningView>,
    /// The number of counts of stock. inventory applies them, and names the import in its ledger.
    counted: i64,
    /// What a dry run would do to the first 100 products, by line; absent for other imports.
    #[serde(skip_serializing_if = "Option::is_none")]
    preview: Option<Vec<ProductPreviewView>>,
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
    pub(super) created: i64,
    /// Products with a new version.
    pub(super) updated: i64,
    /// Products that already had this content.
    pub(super) unchanged: i64,
}

/// A refused product.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RefusedRow)]
pub(super) struct RefusedRowView {
    /// The line on which it begins.
    line: i64,
    reason: String,
}

/// A part of a row that was not applied.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ImportWarning)]
pub(super) struct ImportWarningView {
    /// The line on which the row begins; 1 for the whole file.
    line: i64,
    message: String,
}

/// What a dry run would do to one product.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProductPreview)]
pub(super) struct ProductPreviewView {
    /// The line on which its row begins.
    line: i64,
    /// Null for a new product.
    product_id: Option<ProductId>,
    changes: Vec<FieldChangeView>,
}

/// A field that would change.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FieldChange)]
pub(super) struct FieldChangeView {
    /// For example `variants.KB-1.price`.
    field: String,
    /// At most 200 characters; null without a value.
    from: Option<String>,
    to: Option<String>,
}

/// How a product file was read.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FileLayout)]
pub(super) struct FileLayoutView {
    /// Such as `UTF-8` or `gb18030`; `XLSX` for a workbook.
    encoding: String,
    /// A comma, a semicolon or a tab.
    delimiter: char,
    /// The program that wrote it, if it was recognised.
    #[schema(value_type = Option<String>, example = "shopify")]
    preset: Option<&'static str>,
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
        let warnings =
            if progress.warned > 0 { imports::warnings(connection, id).await? } else { Vec::new() };
        let preview =
            if progress.dry_run { Some(imports::previews(connection, id).await?) } else { None };
        let downstream = match progress.finished_at {
            Some(_) => Some(applied_counts(connection, id).await?),
            None => None,
        };
        let mut view = Self::new(id, progress, refused_rows, warnings, downstream);
        view.preview = preview.map(|all| all.into_iter().map(ProductPreviewView::from).collect());
        Ok(Some(view))
    }

    fn new(
        id: ImportId,
        progress: ImportProgress,
        refused_rows: Vec<RefusedRow>,
        warnings: Vec<ImportWarning>,
        downstream: Option<Vec<AppliedCount>>,
    ) -> Self {
        let ImportProgress { created, updated, unchanged, refused, .. } = progress;
        Self {
            id,
            state: progress.state.as_str(),
            format: progress.format.as_str(),
            dry_run: progress.dry_run,
            file: progress.layout.map(FileLayoutView::from),
            received: progress.received,
            processed: created + updated + unchanged + refused,
            accepted: AcceptedRows { created, updated, unchanged },
            refused,
            refusals: refused_rows.into_iter().map(RefusedRowView::from).collect(),
            warned: progress.warned,
            warnings: warnings.into_iter().map(ImportWarningView::from).collect(),
            counted: progress.counted,
            preview: None,
            reason: progress.reason,
            received_at: progress.received_at,
            finished_at: progress.finished_at,
            downstream,
        }
    }
}

impl From<ImportWarning> for ImportWarningView {
    fn from(warning: ImportWarning) -> Self {
        Self { line: warning.line, message: warning.message }
    }
}

impl From<ProductPreview> for ProductPreviewView {
    fn from(preview: ProductPreview) -> Self {
        let changes = preview.changes.into_iter().map(FieldChangeView::from).collect();
        Self { line: preview.line, product_id: preview.product, changes }
    }
}

impl From<FieldChange> for FieldChangeView {
    fn from(change: FieldChange) -> Self {
        let FieldChange { field, from, to } = change;
        Self { field, from, to }
    }
}

impl From<FileLayout> for FileLayoutView {
    fn from(layout: FileLayout) -> Self {
        let preset = layout.preset().map(Preset::as_str);
        Self { encoding: layout.encoding, delimiter: layout.delimiter, preset }
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
