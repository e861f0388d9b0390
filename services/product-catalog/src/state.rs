//! The state that handlers share.

use std::sync::Arc;

use axum::extract::FromRef;
use messaging::{Outbox, Topology, republish::Republisher};
use runtime::auth::Verifier;
use tokio::sync::Semaphore;

use crate::app::{ChangeWatchers, ImporterWaker};

/// The maximum number of concurrent uploads; each holds up to about 20 megabytes in memory, a workbook
/// up to about 300.
const MAX_UPLOADS: usize = 4;

/// The state from which HTTP handlers extract their parts.
#[derive(Clone, FromRef)]
pub struct AppState {
    pub(crate) outbox: Outbox,
    pub(crate) topology: Topology,
    pub(crate) republisher: Republisher,
    pub(crate) verifier: Verifier,
    pub(crate) watchers: ChangeWatchers,
    pub(crate) uploads: UploadSlots,
    pub(crate) importer: ImporterWaker,
}

/// Limits concurrent uploads. Clones share the slots.
#[derive(Debug, Clone)]
pub(crate) struct UploadSlots(pub(crate) Arc<Semaphore>);

impl UploadSlots {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(MAX_UPLOADS)))
    }
}
