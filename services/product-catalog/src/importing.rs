//! Working off imports: batch by batch, each in one transaction with the cursor, so that a process that dies leaves nothing
//! half done and whoever comes next goes on where it ended.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use contracts::trace::{self, TraceContext};
use messaging::{Kit, Transaction, Worth};
use runtime::clock;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use vocabulary::{ImportId, Sku};

use crate::domain::{Columns, Content, ImportRow, Plan, plan};
use crate::storage::imports::{self, Cursor};
use crate::storage::products;
use crate::writing::{self, WritingError};

/// How many rows are worked off in one transaction.
const BATCH: usize = 250;
/// How often to look for imports that another process took in or left behind.
const SWEEP: Duration = Duration::from_secs(2);
/// How long to wait after a failure.
const PAUSE: Duration = Duration::from_secs(1);
/// How often in a row a batch may fail before its import is given up.
const ATTEMPTS: u32 = 10;

/// Wakes the importer of this process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wake(Arc<Notify>);

impl Wake {
    /// There is a new import.
    pub(crate) fn wake(&self) {
        self.0.notify_one();
    }
}

/// Why a batch was not worked off; nothing of it was.
#[derive(Debug, thiserror::Error)]
enum ImportError {
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    #[error("the transaction failed")]
    Transaction(#[from] messaging::Error),
    #[error("the batch could not be written")]
    Writing(#[from] WritingError),
}

/// Whether there was anything to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Worked,
    Idle,
}

/// Works off imports, the oldest first.
pub(crate) struct Importer {
    kit: Kit,
    wake: Wake,
    chunk: Option<Chunk>,
    /// Which import failed the last times, and how often in a row.
    failing: Option<(ImportId, u32)>,
}

/// The rows of a chunk, read once for all its batches.
struct Chunk {
    import_id: ImportId,
    number: i32,
    rows: Vec<ImportRow>,
}

impl Importer {
    pub(crate) fn new(kit: Kit, wake: Wake) -> Self {
        Self { kit, wake, chunk: None, failing: None }
    }

    /// Works until `stop`; a batch in hand is finished.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> Result<(), Infallible> {
        while !stop.is_cancelled() {
            // What is taken in is not lost by waiting; the catalogue's own writes come first.
            let admitted = self.kit.admit(Worth::Lesser).is_ok();
            let done = if admitted { self.step().await } else { Ok(Step::Idle) };
            let pause = match done {
                Ok(Step::Worked) => continue,
                Ok(Step::Idle) => SWEEP,
                Err(error) => {
                    tracing::warn!(error = problem::chain(&error), "a batch of an import failed");
                    self.give_up_in_the_end().await;
                    PAUSE
                }
            };
            let wait = tokio::time::timeout(pause, self.wake.0.notified());
            let _ = stop.run_until_cancelled(wait).await;
        }
        Ok(())
    }

    /// Works off the next batch of the oldest import.
    async fn step(&mut self) -> Result<Step, ImportError> {
        let mut tx = self.kit.begin().await?;
        let Some(cursor) = imports::lock_next(&mut tx).await? else { return Ok(Step::Idle) };
        let failures =
            self.failing.filter(|(id, _)| *id == cursor.import_id).map_or(0, |(_, count)| count);
        self.failing = Some((cursor.import_id, failures + 1));
        let rows = self.rows(&mut tx, &cursor).await?;
        let plan = trace_of(&cursor, work_off(&mut tx, &cursor, rows)).await?;
        tx.commit().await?;
        self.failing = None;
        count(&plan);
        Ok(Step::Worked)
    }

    /// The rows of the chunk that the cursor points to.
    async fn rows(
        &mut self,
        tx: &mut Transaction,
        cursor: &Cursor,
    ) -> Result<&[ImportRow], ImportError> {
        let (import_id, number) = (cursor.import_id, cursor.next_chunk);
        let chunk = match self.chunk.take() {
            Some(chunk) if (chunk.import_id, chunk.number) == (import_id, number) => chunk,
            Some(_) | None => {
                // The header was read when the import was taken in.
                let columns = cursor.header.as_ref().and_then(|header| Columns::read(header).ok());
                let rows = imports::chunk(tx, import_id, number).await?;
                let rows = rows.iter().map(|row| ImportRow::read(columns.as_ref(), row)).collect();
                Chunk { import_id, number, rows }
            }
        };
        Ok(&self.chunk.insert(chunk).rows)
    }

    /// A batch that fails again and again must not hold up all imports for ever.
    async fn give_up_in_the_end(&mut self) {
        let Some((id, ATTEMPTS..)) = self.failing else { return };
        tracing::error!(import = %id, "an import is given up");
        let reason = "a batch could not be worked off; the log says why";
        let failing = async {
            let mut connection = self.kit.pool().acquire().await?;
            imports::fail(&mut connection, id, reason, clock::now()).await
        };
        match failing.await {
            Ok(()) => self.failing = None,
            Err(error) => {
                tracing::warn!(error = problem::chain(&error), "an import could not be given up");
            }
        }
    }
}

/// Plans and writes the next batch out of the chunk's `rows`, and moves the cursor on.
async fn work_off(
    tx: &mut Transaction,
    cursor: &Cursor,
    rows: &[ImportRow],
) -> Result<Plan, ImportError> {
    let first = usize::try_from(cursor.next_row).unwrap_or_default().min(rows.len());
    let batch = &rows[first..rows.len().min(first + BATCH)];
    let contents = batch.iter().filter_map(|row| row.content.as_ref().ok());
    let skus: Vec<&str> = contents.flat_map(Content::skus).map(Sku::as_str).collect();
    let known = products::lock_owners(tx, &skus).await?;
    let now = clock::now();
    let plan = plan(batch, &known, now);
    if !plan.writes.is_empty() {
        writing::write(tx, &plan.writes, Some(cursor.import_id), now).await?;
    }
    let last = first + plan.taken;
    let next = match i32::try_from(last) {
        Ok(row) if last < rows.len() => (cursor.next_chunk, row),
        Ok(_) | Err(_) => (cursor.next_chunk + 1, 0),
    };
    imports::advance(tx, cursor, &plan, next, now).await?;
    Ok(plan)
}

/// Runs `future` in the trace of the request that brought the import.
async fn trace_of<T>(cursor: &Cursor, future: impl Future<Output = T>) -> T {
    match cursor.traceparent.as_deref().and_then(TraceContext::parse) {
        Some(context) => trace::scope(context, future).await,
        None => future.await,
    }
}

fn count(plan: &Plan) {
    let refused = i64::try_from(plan.refusals.len()).unwrap_or_default();
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
