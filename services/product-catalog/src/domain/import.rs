//! Imports: many products in one file.

use chrono::{DateTime, Utc};
use vocabulary::ImportId;

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
    /// The header of a CSV file; none for NDJSON.
    pub(crate) header: Option<Vec<u8>>,
    pub(crate) rows: i64,
    pub(crate) chunks: i32,
    /// The trace of the request.
    pub(crate) traceparent: Option<String>,
    pub(crate) received_at: DateTime<Utc>,
}

impl ReceivedImport {
    /// CSV files have a header.
    pub(crate) const fn format(&self) -> ImportFormat {
        if self.header.is_some() { ImportFormat::Csv } else { ImportFormat::Ndjson }
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
    /// Why the whole import failed.
    pub(crate) reason: Option<String>,
    pub(crate) received_at: DateTime<Utc>,
    pub(crate) finished_at: Option<DateTime<Utc>>,
}

/// The position of the next row to process.
#[derive(Debug)]
pub(crate) struct ImportCursor {
    pub(crate) import_id: ImportId,
    /// The header of a CSV file; none for NDJSON.
    pub(crate) header: Option<Vec<u8>>,
    /// The number of chunks of the import.
    pub(crate) chunks: i32,
    pub(crate) next_chunk: i32,
    pub(crate) next_row: i32,
    /// The number of rows refused so far.
    pub(crate) refused: i64,
    /// The trace of the request.
    pub(crate) traceparent: Option<String>,
}

/// A row that created or changed no product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RefusedRow {
    /// The line on which the row begins.
    pub(crate) line: i64,
    pub(crate) reason: String,
}
