//! Comparing the index with the catalogue, and putting it right.
//!
//! Nothing of this is needed as long as events arrive and take effect; it is for the day on which somebody doubts it, or
//! restored a database from a copy.

mod drift;
mod repair;

use std::sync::Arc;

use messaging::Kit;
use tokio::sync::{Mutex, TryLockError};

pub use self::{
    drift::{Difference, Drift},
    repair::Repair,
};
use crate::{
    catalogue::{Catalogue, CatalogueError},
    index::SearchError,
    storage::documents::WriteError,
    tail::{Live, Wake},
};

/// Compares and repairs, one at a time. Clones share everything.
#[derive(Debug, Clone)]
pub struct Upkeep {
    kit: Kit,
    live: Live,
    wake: Wake,
    catalogue: Catalogue,
    turn: Arc<Mutex<()>>,
}

/// Why the index could not be compared or repaired.
#[derive(Debug, thiserror::Error)]
pub enum UpkeepError {
    /// Somebody else is at it.
    #[error("the index is being compared or repaired already")]
    Busy(#[from] TryLockError),
    /// There is no index yet.
    #[error("the index is being built")]
    NoIndex,
    /// The catalogue cannot be read.
    #[error("the catalogue cannot be read")]
    Catalogue(#[from] CatalogueError),
    /// The index cannot be read.
    #[error("the index cannot be read")]
    Index(#[from] SearchError),
    /// The projection cannot be read.
    #[error("the projection cannot be read")]
    Database(#[from] sqlx::Error),
    /// The projection cannot be written.
    #[error("the projection cannot be written")]
    Write(#[from] WriteError),
    /// The projection cannot be committed.
    #[error("the projection cannot be committed")]
    Commit(#[from] messaging::Error),
    /// The thread that read the index ended.
    #[error("the thread that read the index ended")]
    Thread(#[from] tokio::task::JoinError),
}

impl Upkeep {
    /// Upkeep of the index `live`.
    pub fn new(kit: Kit, live: Live, wake: Wake, catalogue: Catalogue) -> Self {
        Self { kit, live, wake, catalogue, turn: Arc::default() }
    }

    /// Every product in the index with its version.
    async fn indexed(&self) -> Result<Vec<(uuid::Uuid, i64)>, UpkeepError> {
        let index = self.live.index().ok_or(UpkeepError::NoIndex)?;
        Ok(tokio::task::spawn_blocking(move || index.versions()).await??)
    }
}
