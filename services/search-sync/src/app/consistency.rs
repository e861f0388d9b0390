//! Compares and repairs the index.
//!
//! Events keep the index consistent. These use cases verify it, and repair it after a database was restored
//! from a backup.

use std::sync::Arc;

use messaging::Outbox;
use tokio::{
    sync::{Mutex, TryLockError},
    task::{JoinError, spawn_blocking},
};
use uuid::Uuid;

use super::{IndexerWaker, SettingsWaker};
use crate::{
    clients::product_catalog::{CatalogClient, CatalogError},
    index::{LiveIndex, SearchError},
    storage::documents::WriteDocumentsError,
};

/// Compares and repairs the index, one run at a time. Clones share everything.
#[derive(Debug, Clone)]
pub(crate) struct IndexConsistency {
    pub(crate) outbox: Outbox,
    pub(crate) live: LiveIndex,
    pub(crate) indexer: IndexerWaker,
    pub(crate) settings: SettingsWaker,
    pub(crate) catalogue: CatalogClient,
    pub(crate) running: Arc<Mutex<()>>,
}

/// Why the index could not be compared or repaired.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConsistencyError {
    #[error("another comparison or repair is running")]
    Busy(#[from] TryLockError),
    #[error("the index is being built")]
    NoIndex,
    #[error("the catalogue could not be read")]
    Catalogue(#[from] CatalogError),
    #[error("the snapshot of the catalogue could not be decoded")]
    Decode(#[from] serde_json::Error),
    #[error("the index could not be read")]
    Index(#[from] SearchError),
    #[error("the projection could not be read")]
    Database(#[from] sqlx::Error),
    #[error("the projection could not be written")]
    Write(#[from] WriteDocumentsError),
    #[error("the projection could not be committed")]
    Commit(#[from] messaging::Error),
    #[error("the thread that read the index ended early")]
    Thread(#[from] JoinError),
}

impl IndexConsistency {
    pub(crate) fn new(
        outbox: Outbox,
        live: LiveIndex,
        indexer: IndexerWaker,
        settings: SettingsWaker,
        catalogue: CatalogClient,
    ) -> Self {
        Self { outbox, live, indexer, settings, catalogue, running: Arc::default() }
    }

    /// All products in the index with their versions.
    pub(crate) async fn indexed_versions(&self) -> Result<Vec<(Uuid, i64)>, ConsistencyError> {
        let index = self.live.index().ok_or(ConsistencyError::NoIndex)?;
        Ok(spawn_blocking(move || index.versions()).await??)
    }
}
