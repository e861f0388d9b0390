//! One version of the index on disk: its reader, its only writer and its checkpoint.

use std::{
    io,
    path::{Path, PathBuf},
    time::Instant,
};

use serde::{Deserialize, Serialize};
use tokio::task::{JoinError, spawn_blocking};
use uuid::Uuid;

use super::{
    folder::IndexFolder,
    open::{Index, OpenError},
    query::SearchError,
    writer::{Change, WriteError, Writer},
};
use crate::domain::ChangeCounter;

/// Why a version of the index cannot be opened or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VersionError {
    #[error("the index folder could not be read or written")]
    Folder(#[from] io::Error),
    #[error("the index could not be opened")]
    Open(#[from] OpenError),
    #[error("the index could not be read")]
    Read(#[from] SearchError),
    #[error("the index could not be written")]
    Write(#[from] WriteError),
    /// It panicked, or was cancelled with the process.
    #[error("the index thread ended early")]
    Thread(#[from] JoinError),
}

/// The payload of each commit: how far the index has followed which projection.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Checkpoint {
    /// The database of the projection.
    source: Uuid,
    /// The number of the last indexed change.
    change: i64,
}

/// One version of the index on disk.
#[derive(Debug)]
pub(crate) struct IndexVersion {
    index: Index,
    path: PathBuf,
    /// The number of the last indexed change.
    applied: i64,
    /// The number of the last edit that was indexed before the changes below it; 0 for none.
    edits_applied: i64,
    source: Uuid,
    /// `None` during a commit and after a failed one.
    writer: Option<Writer>,
    /// Keeps the folder locked while anything may write to it.
    folder: IndexFolder,
}

impl IndexVersion {
    /// Opens the version in use. `None` if there is none, or if it must be rebuilt.
    pub(crate) async fn open(
        folder: IndexFolder,
        counter: ChangeCounter,
    ) -> Result<Option<Self>, VersionError> {
        spawn_blocking(move || Self::open_blocking(folder, counter)).await?
    }

    fn open_blocking(
        folder: IndexFolder,
        counter: ChangeCounter,
    ) -> Result<Option<Self>, VersionError> {
        let Some(path) = folder.current()? else {
            tracing::info!("no index exists yet");
            return Ok(None);
        };
        let index = match Index::open(&path) {
            Ok(index) => index,
            Err(error) if error.needs_rebuild() => {
                tracing::warn!(error = problem::chain(&error), "the index must be rebuilt");
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let checkpoint = index.payload()?;
        let checkpoint = checkpoint.and_then(|json| serde_json::from_str::<Checkpoint>(&json).ok());
        let ChangeCounter { source, last } = counter;
        match checkpoint {
            Some(Checkpoint { source: indexed, change }) if indexed == source && change <= last => {
                let writer = Some(index.writer()?);
                Ok(Some(Self {
                    index,
                    path,
                    applied: change,
                    edits_applied: 0,
                    source,
                    writer,
                    folder,
                }))
            }
            checkpoint => {
                tracing::warn!(?checkpoint, ?counter, "the index belongs to another database");
                Ok(None)
            }
        }
    }

    /// Creates a new, empty version for the projection in the database `source`, to be filled, then
    /// [compacted](Self::compact).
    pub(crate) async fn create(folder: IndexFolder, source: Uuid) -> Result<Self, VersionError> {
        let create = move || -> Result<Self, VersionError> {
            let path = folder.create_version()?;
            let index = Index::open(&path)?;
            let writer = Some(index.bulk_writer()?);
            Ok(Self { index, path, applied: 0, edits_applied: 0, source, writer, folder })
        };
        spawn_blocking(create).await?
    }

    pub(crate) fn index(&self) -> &Index {
        &self.index
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The number of the last indexed change.
    pub(crate) fn applied(&self) -> i64 {
        self.applied
    }

    /// The number up to which all edits are indexed, at least [`applied`](Self::applied).
    pub(crate) fn edits_applied(&self) -> i64 {
        self.edits_applied.max(self.applied)
    }

    /// Commits edits up to the number `through`, before the other changes below it. They are indexed again in their
    /// turn, so the checkpoint stays, and a process that is killed forgets nothing.
    pub(crate) async fn commit_edits(
        &mut self,
        through: i64,
        edits: impl FnOnce() -> Vec<Change> + Send + 'static,
    ) -> Result<(), VersionError> {
        self.commit(self.applied, edits).await?;
        self.edits_applied = through;
        Ok(())
    }

    /// Commits changes up to the number `through`; without any only the checkpoint. `changes` runs on a
    /// blocking thread.
    pub(crate) async fn commit(
        &mut self,
        through: i64,
        changes: impl FnOnce() -> Vec<Change> + Send + 'static,
    ) -> Result<(), VersionError> {
        let checkpoint = Checkpoint { source: self.source, change: through };
        let checkpoint = serde_json::to_string(&checkpoint).map_err(io::Error::other)?;
        self.with_writer(move |mut writer| {
            let started = Instant::now();
            writer.apply(&changes(), &checkpoint)?;
            metrics::histogram!("search_index_commit_seconds").record(started.elapsed());
            Ok(writer)
        })
        .await?;
        self.applied = through;
        Ok(())
    }

    /// Adds documents of products that the version does not contain, up to the number `through`. The next commit makes
    /// them durable and searchable. `changes` runs on a blocking thread.
    pub(crate) async fn add(
        &mut self,
        through: i64,
        changes: impl FnOnce() -> Vec<Change> + Send + 'static,
    ) -> Result<(), VersionError> {
        self.with_writer(move |mut writer| {
            writer.add(&changes())?;
            Ok(writer)
        })
        .await?;
        self.applied = through;
        Ok(())
    }

    /// Merges the index into one segment.
    pub(crate) async fn compact(&mut self) -> Result<(), VersionError> {
        self.with_writer(Writer::compact).await
    }

    /// Waits for the running merges and closes the writer.
    pub(crate) async fn close(mut self) -> Result<(), VersionError> {
        let Some(writer) = self.writer.take() else { return Ok(()) };
        spawn_blocking(move || writer.close()).await??;
        Ok(())
    }

    /// Runs `work` on a blocking thread. If it fails, the writer is lost and the version must be reopened.
    async fn with_writer(
        &mut self,
        work: impl FnOnce(Writer) -> Result<Writer, WriteError> + Send + 'static,
    ) -> Result<(), VersionError> {
        let writer = self.writer.take().ok_or(WriteError::Locked)?;
        // Dropping this future does not stop the thread, so the thread keeps the folder locked.
        let folder = self.folder.clone();
        let result = spawn_blocking(move || {
            let result = work(writer);
            drop(folder);
            result
        });
        self.writer = Some(result.await??);
        Ok(())
    }
}
