//! The indexer: copies changes of the projection to the index and publishes the receipts afterwards.
//!
//! Every process has an indexer and the whole index. The indexer reads the documents after its checkpoint in
//! the order of their change numbers, and commits them together with the new checkpoint. Then it publishes
//! the receipts of the products that searches see. Both the checkpoint and pending receipts survive a kill,
//! so the next start continues where the index is. Changes that arrive during a commit form the next one; no
//! timer delays them.

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use messaging::Outbox;
use runtime::{Lifecycle, clock, health::Component};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    app::{
        IndexerWaker,
        index_changes::{IndexChangesError, IndexedBatch, catch_up, index_batch, index_edits},
        publish_receipts::publish_receipts,
        rebuild_index::{IndexRebuilder, build_version},
    },
    index::{IndexFolder, IndexVersion, LiveIndex, VersionError},
    publishes::ReceiptKey,
    storage::{changes, documents},
};

/// How often the indexer checks for changes of other processes, unless it is alone and rests.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// How often receipts are published while more changes wait: each time, all pending receipts are compared.
const RECEIPT_INTERVAL: Duration = Duration::from_millis(250);

/// The delay after the first failure; it doubles with every further one.
const RETRY_DELAY_MIN: Duration = Duration::from_millis(100);

/// The longest delay after a failure.
const RETRY_DELAY_MAX: Duration = Duration::from_secs(5);

/// Why the indexer stopped for a moment.
#[derive(Debug, thiserror::Error)]
enum IndexerError {
    #[error("the projection could not be read")]
    Database(#[from] sqlx::Error),
    #[error("the receipts could not be published")]
    Receipts(#[from] messaging::Error),
    #[error(transparent)]
    Index(#[from] VersionError),
}

impl From<IndexChangesError> for IndexerError {
    fn from(error: IndexChangesError) -> Self {
        match error {
            IndexChangesError::Database(error) => Self::Database(error),
            IndexChangesError::Index(error) => Self::Index(error),
        }
    }
}

/// Starts the indexer. `component` is up once the index contains the changes that existed at the start.
pub(crate) fn start(
    lifecycle: &Lifecycle,
    component: Component,
    outbox: &Outbox,
    folder: IndexFolder,
    waker: IndexerWaker,
) -> (LiveIndex, IndexRebuilder) {
    let live = LiveIndex::default();
    let (sender, rebuilt) = mpsc::channel(1);
    let rebuilder = IndexRebuilder::new(outbox.clone(), folder.clone(), lifecycle.clone(), sender);
    let indexer = Indexer {
        outbox: outbox.clone(),
        folder,
        waker,
        live: live.clone(),
        rebuilder: rebuilder.clone(),
        receipt_key: ReceiptKey::random(),
        component,
        target: None,
        version: None,
        replacement: None,
        receipts_at: None,
    };
    let stop = lifecycle.soft();
    lifecycle.spawn("index", async move {
        indexer.run(rebuilt, &stop).await;
        Ok::<_, Infallible>(())
    });
    (live, rebuilder)
}

struct Indexer {
    outbox: Outbox,
    folder: IndexFolder,
    waker: IndexerWaker,
    live: LiveIndex,
    rebuilder: IndexRebuilder,
    receipt_key: ReceiptKey,
    component: Component,
    /// The number of the last change at the start.
    target: Option<i64>,
    /// `None` before it is opened and after it failed.
    version: Option<IndexVersion>,
    /// A rebuilt index that will replace the one in use.
    replacement: Option<IndexVersion>,
    /// When receipts were published last.
    receipts_at: Option<Instant>,
}

impl Indexer {
    /// Runs until `stop`. Failures of the database and the disk are retried; searches continue meanwhile.
    async fn run(mut self, mut rebuilt: mpsc::Receiver<IndexVersion>, stop: &CancellationToken) {
        let mut failures = 0;
        while !stop.is_cancelled() {
            let Err(error) = self.follow(&mut rebuilt, stop, &mut failures).await else { break };
            self.component.down(problem::chain(&error));
            match error {
                // Reopening the index verifies its files.
                IndexerError::Index(_) => self.version = None,
                IndexerError::Database(_) | IndexerError::Receipts(_) => {}
            }
            let delay = RETRY_DELAY_MAX.min(RETRY_DELAY_MIN * 2_u32.pow(failures));
            failures = (failures + 1).min(6);
            tracing::warn!(error = problem::chain(&error), ?delay, "indexing failed; retrying");
            stop.run_until_cancelled(tokio::time::sleep(delay)).await;
        }
        if let Some(version) = self.version
            && let Err(error) = version.close().await
        {
            tracing::warn!(error = problem::chain(&error), "failed to close the index");
        }
    }

    async fn follow(
        &mut self,
        rebuilt: &mut mpsc::Receiver<IndexVersion>,
        stop: &CancellationToken,
        failures: &mut u32,
    ) -> Result<(), IndexerError> {
        while !stop.is_cancelled() {
            let mut version = match self.version.take() {
                Some(version) => version,
                None => self.open().await?,
            };
            if let Some(replacement) = self.replacement.take() {
                version = self.switch(version, replacement).await?;
            }
            let result = next_changes(&mut version, &self.outbox).await;
            let (applied, edits_applied) = (version.applied(), version.edits_applied());
            // After a failed commit the version has no writer, so it fails again until it is reopened.
            self.version = Some(version);
            let IndexedBatch { changes, more } = result?;
            if changes > 0 {
                self.live.advance(applied, Some(clock::now()));
                record_commit(changes);
            }
            if !more || self.receipts_at.is_none_or(|last| last.elapsed() > RECEIPT_INTERVAL) {
                publish_receipts(&self.outbox, &self.receipt_key, applied, edits_applied).await?;
                self.receipts_at = Some(Instant::now());
            }
            if !more || self.target.is_some_and(|target| target <= applied) {
                self.component.up();
                *failures = 0;
            }
            if more {
                self.replacement = rebuilt.try_recv().ok();
                continue;
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.waker.woken() => {}
                replacement = rebuilt.recv() => self.replacement = replacement,
                () = self.outbox.pause(POLL_INTERVAL) => {}
            }
        }
        Ok(())
    }

    /// Opens the version in use, or builds one.
    async fn open(&mut self) -> Result<IndexVersion, IndexerError> {
        let mut connection = self.outbox.pool().acquire().await?;
        let counter = changes::read(&mut connection).await?;
        if self.target.is_none() {
            self.target = Some(documents::last_change(&mut connection).await?);
            self.folder.remove_unused().map_err(VersionError::from)?;
        }
        drop(connection);
        let version =
            if let Some(version) = IndexVersion::open(self.folder.clone(), counter).await? {
                version
            } else {
                self.component.down("the index is being built");
                let version = build_version(&self.outbox, &self.folder, counter.source).await?;
                self.folder.activate(version.path()).map_err(VersionError::from)?;
                version
            };
        self.live.replace(version.index().clone());
        self.live.advance(version.applied(), None);
        let documents = version.index().documents();
        tracing::info!(documents, applied = version.applied(), "opened the index");
        Ok(version)
    }

    /// Replaces the version in use by a rebuilt one that contains at least the same changes, so that no
    /// reader goes back.
    async fn switch(
        &mut self,
        current: IndexVersion,
        mut replacement: IndexVersion,
    ) -> Result<IndexVersion, IndexerError> {
        let result = match catch_up(&mut replacement, &self.outbox).await {
            Ok(()) => {
                drop(current);
                let activated = self.folder.activate(replacement.path());
                activated.map_err(|error| IndexerError::Index(error.into()))
            }
            Err(error) => {
                self.version = Some(current);
                Err(error.into())
            }
        };
        if let Err(error) = result {
            self.rebuilder.finish(Some(problem::chain(&error)));
            return Err(error);
        }
        self.live.replace(replacement.index().clone());
        self.live.advance(replacement.applied(), Some(clock::now()));
        self.rebuilder.finish(None);
        let documents = replacement.index().documents();
        tracing::info!(documents, "activated the rebuilt index");
        Ok(replacement)
    }
}

/// Commits the next changes. If more wait, edits among them come first, so that they do not wait for an import.
async fn next_changes(
    version: &mut IndexVersion,
    outbox: &Outbox,
) -> Result<IndexedBatch, IndexChangesError> {
    let IndexedBatch { changes, more } = index_batch(version, outbox).await?;
    let edits = if more { index_edits(version, outbox).await? } else { 0 };
    Ok(IndexedBatch { changes: changes + edits, more })
}

fn record_commit(changes: usize) {
    metrics::counter!("search_index_commits_total").increment(1);
    metrics::counter!("search_index_changes_total")
        .increment(u64::try_from(changes).unwrap_or_default());
}
