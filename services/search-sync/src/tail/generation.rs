//! One index on the disk, with its only writer and the number of the last change that it has.

use std::{io, path::PathBuf, time::Instant};

use messaging::Kit;
use serde::{Deserialize, Serialize};
use tokio::task::JoinError;
use uuid::Uuid;

use super::{document::change, folder::Folder};
use crate::{
    index::{Index, OpenError, SearchError, WriteError, Writer},
    storage::{
        changes::Numbering,
        documents::{self, Row},
    },
};

/// How many documents are read and committed at a time.
const PAGE: i64 = 500;

/// Why an index cannot be opened, built or written.
#[derive(Debug, thiserror::Error)]
pub enum TailError {
    /// The projection cannot be read.
    #[error("the projection cannot be read")]
    Database(#[from] sqlx::Error),
    /// A receipt cannot be said.
    #[error("a receipt cannot be said")]
    Messaging(#[from] messaging::Error),
    /// The folder cannot be read or written.
    #[error("the folder of the index cannot be read or written")]
    Folder(#[from] io::Error),
    /// The index cannot be opened.
    #[error("the index cannot be opened")]
    Open(#[from] OpenError),
    /// The index cannot be read.
    #[error("the index cannot be read")]
    Read(#[from] SearchError),
    /// The index cannot be written.
    #[error("the index cannot be written")]
    Write(#[from] WriteError),
    /// The thread that did it panicked, or was ended with the process.
    #[error("the thread of the index ended")]
    Thread(#[from] JoinError),
}

/// What a commit of the index is marked with.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    /// The database that its documents come from.
    source: Uuid,
    /// The number of the last change in it.
    change: i64,
}

/// An index on the disk with its writer.
#[derive(Debug)]
pub(super) struct Generation {
    pub(super) index: Index,
    pub(super) path: PathBuf,
    /// The number of the last change in the index.
    pub(super) applied: i64,
    source: Uuid,
    /// `None` only while a commit runs, or after one that did not come back.
    writer: Option<Writer>,
    /// Held as long as anything writes.
    folder: Folder,
}

impl Generation {
    /// The generation in use; `None` where there is none that can be gone on with. Blocks.
    pub(super) fn open(folder: Folder, numbering: Numbering) -> Result<Option<Self>, TailError> {
        let Some(path) = folder.current()? else {
            tracing::info!("there is no index yet");
            return Ok(None);
        };
        let index = match Index::open(&path) {
            Ok(index) => index,
            Err(error) if error.needs_rebuild() => {
                tracing::warn!(error = problem::chain(&error), "the index cannot be gone on with");
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let mark = index.payload()?.and_then(|mark| serde_json::from_str::<Mark>(&mark).ok());
        let Numbering { source, last } = numbering;
        match mark {
            Some(mark) if mark.source == source && mark.change <= last => {
                let writer = Some(index.writer()?);
                Ok(Some(Self { index, path, applied: mark.change, source, writer, folder }))
            }
            mark => {
                tracing::warn!(?mark, ?numbering, "the index belongs to another database");
                Ok(None)
            }
        }
    }

    /// A new, empty generation. Blocks.
    pub(super) fn fresh(folder: Folder, source: Uuid) -> Result<Self, TailError> {
        let path = folder.fresh()?;
        let index = Index::open(&path)?;
        let writer = Some(index.writer()?);
        Ok(Self { index, path, applied: 0, source, writer, folder })
    }

    /// Applies the next changes in one commit; answers how many there were, and whether there may be more.
    pub(super) async fn advance(&mut self, kit: &Kit) -> Result<Step, TailError> {
        let rows = {
            let mut connection = kit.pool().acquire().await?;
            documents::after(&mut connection, self.applied, PAGE).await?
        };
        let Some(through) = rows.last().map(|row| row.change) else { return Ok(Step::NOTHING) };
        let changes = rows.len();
        self.commit(rows, through).await?;
        Ok(Step { changes, more: i64::try_from(changes).is_ok_and(|changes| changes == PAGE) })
    }

    /// Applies changes until there are none left that are committed.
    pub(super) async fn catch_up(&mut self, kit: &Kit) -> Result<(), TailError> {
        while self.advance(kit).await?.more {}
        Ok(())
    }

    /// Commits an empty index too, so that the next start knows where it stands.
    pub(super) async fn commit(&mut self, rows: Vec<Row>, through: i64) -> Result<(), TailError> {
        let mark = Mark { source: self.source, change: through };
        let mark = serde_json::to_string(&mark).map_err(io::Error::other)?;
        self.with_writer(move |mut writer| {
            let begun = Instant::now();
            let changes: Vec<_> = rows.iter().map(change).collect();
            writer.apply(&changes, &mark)?;
            metrics::histogram!("search_index_commit_seconds").record(begun.elapsed());
            Ok(writer)
        })
        .await?;
        self.applied = through;
        Ok(())
    }

    /// Merges the index into one segment.
    pub(super) async fn compact(&mut self) -> Result<(), TailError> {
        self.with_writer(Writer::compact).await
    }

    /// Ends the writer, and lets it finish what it does in the background.
    pub(super) async fn close(mut self) -> Result<(), TailError> {
        let Some(writer) = self.writer.take() else { return Ok(()) };
        tokio::task::spawn_blocking(move || writer.close()).await??;
        Ok(())
    }

    /// Runs `work` on a thread that may block. The writer is gone if it fails: then the index has to be opened anew.
    async fn with_writer(
        &mut self,
        work: impl FnOnce(Writer) -> Result<Writer, WriteError> + Send + 'static,
    ) -> Result<(), TailError> {
        let writer = self.writer.take().ok_or(WriteError::Locked)?;
        // Whoever drops the future that waits here does not end the thread, so the thread holds the folder.
        let folder = self.folder.clone();
        let worked = tokio::task::spawn_blocking(move || {
            let worked = work(writer);
            drop(folder);
            worked
        });
        self.writer = Some(worked.await??);
        Ok(())
    }
}

/// How far one step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// How many documents it carried over.
    pub(super) changes: usize,
    /// Whether there may be more.
    pub(super) more: bool,
}

impl Step {
    const NOTHING: Self = Self { changes: 0, more: false };
}
