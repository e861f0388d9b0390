//! Rebuilds the index next to the version in use.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use messaging::Outbox;
use runtime::{Lifecycle, clock};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::index_changes::{IndexChangesError, catch_up, fill};
use crate::{
    index::{IndexFolder, IndexVersion},
    storage::changes,
};

/// Rebuilds the index on demand, one rebuild at a time, and passes it to the indexer. Clones share everything.
#[derive(Debug, Clone)]
pub(crate) struct IndexRebuilder(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    outbox: Outbox,
    folder: IndexFolder,
    lifecycle: Lifecycle,
    rebuilt: mpsc::Sender<IndexVersion>,
    last: Mutex<Option<Rebuild>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rebuild {
    pub(crate) started_at: DateTime<Utc>,
    /// `None` while it is running.
    pub(crate) finished_at: Option<DateTime<Utc>>,
    /// Why it failed; the previous index then stays in use.
    pub(crate) error: Option<String>,
}

impl Rebuild {
    pub(crate) const fn is_running(&self) -> bool {
        self.finished_at.is_none()
    }
}

impl IndexRebuilder {
    /// Sends rebuilt versions to the receiver of `rebuilt`.
    pub(crate) fn new(
        outbox: Outbox,
        folder: IndexFolder,
        lifecycle: Lifecycle,
        rebuilt: mpsc::Sender<IndexVersion>,
    ) -> Self {
        let last = Mutex::new(None);
        Self(Arc::new(Inner { outbox, folder, lifecycle, rebuilt, last }))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Rebuild>> {
        self.0.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last rebuild since the process started.
    pub(crate) fn last(&self) -> Option<Rebuild> {
        self.lock().clone()
    }

    /// Starts a rebuild after `prepared`, or returns the running one.
    pub(crate) fn start(&self, prepared: impl Future<Output = ()> + Send + 'static) -> Rebuild {
        let mut last = self.lock();
        if let Some(running) = last.as_ref().filter(|rebuild| rebuild.is_running()) {
            return running.clone();
        }
        let started = Rebuild { started_at: clock::now(), finished_at: None, error: None };
        *last = Some(started.clone());
        drop(last);
        let (this, stop) = (self.clone(), self.0.lifecycle.soft());
        self.0.lifecycle.spawn("rebuild", async move {
            let rebuilt = async {
                prepared.await;
                this.rebuild().await
            };
            if let Some(Err(error)) = stop.run_until_cancelled(rebuilt).await {
                tracing::error!(error = problem::chain(&error), "failed to rebuild the index");
                this.finish(Some(problem::chain(&error)));
            }
            Ok::<_, Infallible>(())
        });
        started
    }

    async fn rebuild(&self) -> Result<(), IndexChangesError> {
        let Inner { outbox, folder, rebuilt, .. } = &*self.0;
        let source = changes::read(&mut *outbox.pool().acquire().await?).await?.source;
        let version = build_version(outbox, folder, source).await?;
        // Without a receiver the process is stopping; the next start removes the version.
        let _ = rebuilt.send(version).await;
        Ok(())
    }

    /// Marks the running rebuild as finished.
    pub(crate) fn finish(&self, error: Option<String>) {
        if let Some(rebuild) = self.lock().as_mut().filter(|rebuild| rebuild.is_running()) {
            rebuild.finished_at = Some(clock::now());
            rebuild.error = error;
        }
    }
}

/// Builds a new version with all committed changes, in one segment and a few small ones.
pub(crate) async fn build_version(
    outbox: &Outbox,
    folder: &IndexFolder,
    source: Uuid,
) -> Result<IndexVersion, IndexChangesError> {
    let mut version = IndexVersion::create(folder.clone(), source).await?;
    match build(&mut version, outbox).await {
        Ok(()) => Ok(version),
        Err(error) => {
            let path = version.path().to_owned();
            drop(version);
            // Free the disk space: a full disk may be the cause.
            if let Err(error) = tokio::fs::remove_dir_all(&path).await {
                tracing::warn!(%error, "failed to remove an unfinished index");
            }
            Err(error)
        }
    }
}

async fn build(version: &mut IndexVersion, outbox: &Outbox) -> Result<(), IndexChangesError> {
    fill(version, outbox).await?;
    // The writer that fills the index does not merge segments.
    version.compact().await?;
    catch_up(version, outbox).await
}
