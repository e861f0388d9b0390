//! The state that handlers share.

use axum::extract::FromRef;
use messaging::{Outbox, Topology, republish::Republisher};
use runtime::auth::Verifier;

use crate::domain::LowStock;

/// The state from which HTTP handlers extract their parts.
#[derive(Clone, FromRef)]
pub struct AppState {
    pub(crate) outbox: Outbox,
    pub(crate) topology: Topology,
    pub(crate) republisher: Republisher,
    pub(crate) verifier: Verifier,
    pub(crate) low: LowStock,
}
