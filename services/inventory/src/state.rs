//! The state that handlers share, and how the service starts.

use axum::extract::FromRef;
use messaging::{Outbox, Topology};
use runtime::{auth::Verifier, host::Host};

use crate::{topology, workers::retention};

/// The state from which HTTP handlers extract their parts.
#[derive(Clone, FromRef)]
pub struct AppState {
    outbox: Outbox,
    topology: Topology,
    verifier: Verifier,
}

/// Starts the workers and the messaging.
pub(crate) fn start(host: &Host) -> AppState {
    let database = host.outbox.pool().clone();
    host.lifecycle.spawn("retention", retention::run(database, host.lifecycle.soft()));
    host.start_messaging(topology());
    AppState { outbox: host.outbox.clone(), topology: topology(), verifier: host.verifier.clone() }
}
