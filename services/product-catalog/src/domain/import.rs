//! Imports: many products in one file.

use chrono::{DateTime, Utc};
use vocabulary::{ImportId, ProductId, Sku};

use super::{FieldChange, FileLayout};

/// The format of an import's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ImportFormat {
    /// One JSON document per line.
    Ndjson,
    Csv,
}

impl ImportFormat {
    /// The value of the `format` column.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
        }
    }

    /// Parses the `format` column; a check constraint allows no other value.
    pub(crate) fn parse(text: &str) -> Self {
        if text == "csv" { Self::Csv } else { Self::Ndjson }
    }
}

/// The lifecycle of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ImportState {
    Running,
    /// Every row was processed.
    Done,
    /// The import was abandoned after repeated failures.
    Failed,
}

impl ImportState {
    /// The value of the `state` column.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    /// Parses the `state` column; a check constraint allows no other value.
    pub(crate) fn parse(text: &str) -> Self {
        match text {
            "done" => Self::Done,
            "failed" => Self::Failed,
            _ => Self::Running,
        }
    }
}

/// An import whose rows have all been stored.
#[derive(Debug)]
pub(crate) struct ReceivedImport {
    pub(crate) id: ImportId,
    /// How to read the rows of a file; none for NDJSON.
    pub(crate) layout: Option<FileLayout>,
    /// About the file as a whole.
    pub(crate) warnings: Vec<String>,
    /// Whether the import only reports what it would do.
    pub(crate) dry_run: bool,
    pub(crate) rows: i64,
    pub(crate) chunks: i32,
    /// The trace of the request.
    pub(crate) traceparent: Option<String>,
    pub(crate) received_at: DateTime<Utc>,
}

impl ReceivedImport {
    /// Files have a layout.
    pub(crate) const fn format(&self) -> ImportFormat {
        if self.layout.is_some() { ImportFormat::Csv } else { ImportFormat::Ndjson }
    }
}

/// The progress of an import, in rows.
#[derive(Debug)]
pub(crate) struct ImportProgress {
    pub(crate) state: ImportState,
    pub(crate) format: ImportFormat,
    pub(crate) received: i64,
    pub(crate) created: i64,
    pub(crate) updated: i64,
    pub(crate) unchanged: i64,
    pub(crate) refused: i64,
    /// The number of warnings.
    pub(crate) warned: i64,
    /// The number of counts of stock.
    pub(crate) counted: i64,
    /// How the file was read; none for NDJSON.
    pub(crate) layout: Option<FileLayout>,
    pub(crate) dry_run: bool,
    /// Why the whole import failed.
    pub(crate) reason: Option<String>,
    pub(crate) received_at: DateTime<Utc>,
    pub(crate) finished_at: Option<DateTime<Utc>>,
}

/// The position of the next row to process.
#[derive(Debug)]
pub(crate) struct ImportCursor {
    pub(crate) import_id: ImportId,
    pub(crate) format: ImportFormat,
    /// How to read the rows of a file; none for NDJSON.
    pub(crate) layout: Option<FileLayout>,
    /// The number of chunks of the import.
    pub(crate) chunks: i32,
    pub(crate) next_chunk: i32,
    pub(crate) next_row: i32,
    /// The number of rows refused so far.
    pub(crate) refused: i64,
    /// The number of warnings so far.
    pub(crate) warned: i64,
    pub(crate) dry_run: bool,
    /// The number of products created or updated so far.
    pub(crate) written: i64,
    /// The trace of the request.
    pub(crate) traceparent: Option<String>,
}

/// A row that created or changed no product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RefusedRow {
    /// The line on which the row begins.
    pub(crate) line: i64,
    pub(crate) reason: String,
    /// The row as stored; empty if it is very long.
    pub(crate) source: Vec<u8>,
}

impl RefusedRow {
    /// A refusal of the row that begins on `line`.
    pub(crate) fn new(line: i64, reason: String) -> Self {
        Self { line, reason, source: Vec::new() }
    }
}

/// A part of a row that was not applied, although its product was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImportWarning {
    /// The line on which the row begins; 1 for the whole file.
    pub(crate) line: i64,
    pub(crate) message: String,
}

/// How many pieces of a SKU there are, as a file states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StockCount {
    pub(crate) sku: Sku,
    /// Zero or more.
    pub(crate) quantity: i64,
}

/// What a dry run would do to one product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProductPreview {
    /// The line on which its row begins.
    pub(crate) line: i64,
    /// None for a new product.
    pub(crate) product: Option<ProductId>,
    pub(crate) changes: Vec<FieldChange>,
}
