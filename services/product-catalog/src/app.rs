//! The running service: routes, relay, consumers and the workers behind them, under one lifecycle.

use std::net::SocketAddr;
use std::process::ExitCode;

use axum::extract::FromRef;
use messaging::{Kit, Messaging, Topology};
use runtime::auth::{KeyError, Verifier};
use runtime::database::DatabaseError;
use runtime::health::Health;
use runtime::http::ServeError;
use runtime::{Lifecycle, database, http};
use utoipa_axum::router::OpenApiRouter;

use crate::following::Followers;
use crate::http::Uploads;
use crate::importing::{Importer, Wake};
use crate::{Config, SERVICE, housekeeping};

/// What the handlers of requests use.
#[derive(Clone, FromRef)]
pub struct State {
    kit: Kit,
    topology: Topology,
    verifier: Verifier,
    followers: Followers,
    uploads: Uploads,
    wake: Wake,
}

/// Why the service does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no database.
    #[error("no database")]
    Database(#[from] DatabaseError),
    /// The key that verifies tokens cannot be had.
    #[error("no key for tokens")]
    Key(#[from] KeyError),
    /// There is no server.
    #[error("no server")]
    Serve(#[from] ServeError),
}

/// All routes of the service.
pub fn routes() -> OpenApiRouter<State> {
    crate::http::routes().merge(runtime::messaging::dead_letter_routes())
}

/// Starts everything under `lifecycle`; answers the address that the service listens on.
pub async fn start(config: &Config, lifecycle: &Lifecycle) -> Result<SocketAddr, StartError> {
    let common = &config.common;
    let health = Health::new(lifecycle);
    let pool = database::connect(&SERVICE, &common.database).await?;
    database::watch(lifecycle, &health, pool.clone());

    let kit = Kit::new(pool);
    let followers = Followers::default();
    let topology = crate::topology_for(&followers);
    let messaging = Messaging::new(kit.clone(), common.broker.url.expose(), topology.clone())
        .bounded((&common.outbox).into());
    runtime::messaging::start(lifecycle, &health, &messaging);

    let wake = Wake::default();
    let importer = Importer::new(kit.clone(), wake.clone());
    lifecycle.spawn("importer", importer.run(lifecycle.soft()));
    let keeping = housekeeping::run(kit.pool().clone(), config.retention_days, lifecycle.soft());
    lifecycle.spawn("housekeeping", keeping);

    let verifier = Verifier::read(&common.tokens.public_key_file)?;
    let uploads = Uploads::default();
    let state = State { kit, topology, verifier, followers, uploads, wake };
    let router =
        http::router(&SERVICE, routes().with_state(state), &health, lifecycle, &common.http);
    Ok(http::serve(lifecycle, &common.http, router).await?)
}

/// Serves until told to stop.
pub async fn run(config: Config) -> Result<ExitCode, StartError> {
    let lifecycle = Lifecycle::new(config.common.shutdown.timeout);
    start(&config, &lifecycle).await?;
    Ok(lifecycle.run_until_shutdown().await)
}
