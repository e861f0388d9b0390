//! Processes imports in batches. A batch commits together with the cursor, so a killed process leaves no
//! partial batch, and the next importer continues at the cursor.

use std::{convert::Infallible, time::Duration};

use envelope::trace::{self, TraceContext};
use messaging::{Criticality, Outbox, Transaction};
use runtime::clock;
use tokio_util::sync::CancellationToken;
use vocabulary::ImportId;

use crate::{
    app::{ImportBatchCommand, ImportBatchError, ImporterWaker, import_batch},
    domain::{Draft, ImportCursor, ImportFormat, ImportPlan, ImportPolicy, ImportRow, Row},
    storage::imports,
};

/// The interval of queries for imports that another process received or abandoned, unless this one is alone and rests.
const POLL_INTERVAL: Duration = Duration::from_secs(2);
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// The number of consecutive failures after which an import is abandoned.
const MAX_ATTEMPTS: u32 = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ImportStep {
    Processed,
    /// There was no running import.
    Idle,
}

/// Parses a line of an NDJSON import.
type ParseLine = fn(&[u8]) -> Result<Draft, String>;

/// Processes imports, the oldest first.
pub(crate) struct Importer {
    outbox: Outbox,
    waker: ImporterWaker,
    parse_line: ParseLine,
    chunk: Option<ParsedChunk>,
    /// The import that failed last, with the number of consecutive failures.
    failing: Option<(ImportId, u32)>,
}

/// The rows of a chunk, parsed once for all its batches.
struct ParsedChunk {
    import_id: ImportId,
    number: i32,
    rows: Vec<ImportRow>,
    policy: ImportPolicy,
}

impl Importer {
    pub(crate) fn new(outbox: Outbox, waker: ImporterWaker, parse_line: ParseLine) -> Self {
        Self { outbox, waker, parse_line, chunk: None, failing: None }
    }

    /// Runs until `stop`; finishes the current batch.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> Result<(), Infallible> {
        while !stop.is_cancelled() {
            // Stored imports can wait; other writes come first when the outbox is full.
            let admitted = self.outbox.admit(Criticality::Deferrable).is_ok();
            let done = if admitted { self.step().await } else { Ok(ImportStep::Idle) };
            let pause = match done {
                Ok(ImportStep::Processed) => continue,
                Ok(ImportStep::Idle) => POLL_INTERVAL,
                Err(error) => {
                    tracing::warn!(error = problem::chain(&error), "failed to import a batch");
                    self.abandon_after_many_failures().await;
                    RETRY_DELAY
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.waker.woken() => {}
                () = self.outbox.pause(pause) => {}
            }
        }
        Ok(())
    }

    /// Processes the next batch of the oldest running import.
    async fn step(&mut self) -> Result<ImportStep, ImportBatchError> {
        // Looking begins no transaction, which would end the rest of the process.
        if !imports::any_running(&mut *self.outbox.pool().acquire().await?).await? {
            return Ok(ImportStep::Idle);
        }
        let mut tx = self.outbox.begin().await?;
        let Some(cursor) = imports::lock_next(&mut tx).await? else { return Ok(ImportStep::Idle) };
        let failures =
            self.failing.filter(|(id, _)| *id == cursor.import_id).map_or(0, |(_, count)| count);
        self.failing = Some((cursor.import_id, failures + 1));
        let ParsedChunk { rows, policy, .. } = self.chunk(&mut tx, &cursor).await?;
        let command = ImportBatchCommand { cursor: &cursor, rows, policy };
        let plan = in_trace_of(&cursor, import_batch(&mut tx, command)).await?;
        tx.commit().await?;
        self.failing = None;
        count(&plan);
        Ok(ImportStep::Processed)
    }

    /// The cursor's chunk.
    async fn chunk(
        &mut self,
        tx: &mut Transaction,
        cursor: &ImportCursor,
    ) -> Result<&ParsedChunk, sqlx::Error> {
        let (import_id, number) = (cursor.import_id, cursor.next_chunk);
        let chunk = match self.chunk.take() {
            Some(chunk) if (chunk.import_id, chunk.number) == (import_id, number) => chunk,
            Some(_) | None => {
                let rows = imports::read_chunk(tx, import_id, number).await?;
                let (rows, policy) = parse(cursor, self.parse_line, &rows);
                ParsedChunk { import_id, number, rows, policy }
            }
        };
        Ok(self.chunk.insert(chunk))
    }

    /// Abandons an import that keeps failing, because it delays all later imports.
    async fn abandon_after_many_failures(&mut self) {
        let Some((id, MAX_ATTEMPTS..)) = self.failing else { return };
        tracing::error!(import = %id, "abandoning an import after repeated failures");
        let reason = "a batch failed repeatedly; see the log of product-catalog";
        let fail = async {
            let mut connection = self.outbox.pool().acquire().await?;
            imports::fail(&mut connection, id, reason, clock::now()).await
        };
        match fail.await {
            Ok(()) => self.failing = None,
            Err(error) => {
                tracing::warn!(error = problem::chain(&error), "failed to abandon an import");
            }
        }
    }
}

/// Parses the rows of a file, or lines of NDJSON with `parse_line`.
fn parse(
    cursor: &ImportCursor,
    parse_line: ParseLine,
    rows: &[Row],
) -> (Vec<ImportRow>, ImportPolicy) {
    if cursor.format == ImportFormat::Ndjson {
        let rows = rows.iter().map(|row| ImportRow::read(row, parse_line));
        return (rows.collect(), ImportPolicy::default());
    }
    // The header was validated when the file arrived.
    let layout = cursor.layout.as_ref();
    let Some(columns) = layout.and_then(|layout| layout.columns().ok()) else {
        let refused = |_: &[u8]| Err("the header of the file is not valid".to_owned());
        let rows = rows.iter().map(|row| ImportRow::read(row, refused));
        return (rows.collect(), ImportPolicy::default());
    };
    let is_raw = layout.is_some_and(|layout| layout.is_raw);
    let policy = ImportPolicy { mode: columns.mode(), named: columns.named() };
    (rows.iter().map(|row| ImportRow::of_file(row, &columns, is_raw)).collect(), policy)
}

/// Runs `future` in the trace of the request that started the import.
async fn in_trace_of<T>(cursor: &ImportCursor, future: impl Future<Output = T>) -> T {
    match cursor.traceparent.as_deref().and_then(TraceContext::parse) {
        Some(context) => trace::scope(context, future).await,
        None => future.await,
    }
}

fn count(plan: &ImportPlan) {
    let refused = i64::try_from(plan.refused.len()).unwrap_or_default();
    for (outcome, count) in [
        ("created", plan.created),
        ("updated", plan.updated),
        ("unchanged", plan.unchanged),
        ("refused", refused),
    ] {
        metrics::counter!("catalog_import_rows_total", "outcome" => outcome)
            .increment(u64::try_from(count).unwrap_or_default());
    }
}
