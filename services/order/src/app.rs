//! The running service: routes, group commit, clock, relay and consumers, under one lifecycle.

use std::{io, net::SocketAddr, path::PathBuf, process::ExitCode};

use axum::extract::FromRef;
use messaging::{Kit, Messaging, Topology};
use runtime::auth::{KeyError, Verifier};
use runtime::database::DatabaseError;
use runtime::health::Health;
use runtime::http::ServeError;
use runtime::{Lifecycle, database, http};
use utoipa_axum::router::OpenApiRouter;

use crate::http::{place::Placing, webhooks::Webhooks};
use crate::process::Process;
use crate::replaying::Replays;
use crate::{Config, SERVICE, housekeeping};

/// What the handlers of requests use.
#[derive(Clone, FromRef)]
pub struct State {
    kit: Kit,
    topology: Topology,
    verifier: Verifier,
    process: Process,
    placing: Placing,
    webhooks: Webhooks,
    replays: Replays,
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
    /// The secret that verifies callbacks cannot be had.
    #[error("no secret for webhooks in {}", .0.display())]
    WebhookSecret(PathBuf, #[source] io::Error),
    /// There is no client for the catalogue.
    #[error("no HTTP client")]
    Client(#[from] reqwest::Error),
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
    let verifier = Verifier::read(&common.tokens.public_key_file)?;
    let secret_file = config.webhook_secret_file.as_deref();
    let webhooks = Webhooks::read(secret_file).map_err(|error| {
        StartError::WebhookSecret(secret_file.map(PathBuf::from).unwrap_or_default(), error)
    })?;
    let health = Health::new(lifecycle);
    let pool = database::connect(&SERVICE, &common.database).await?;
    database::watch(lifecycle, &health, pool.clone());

    let kit = Kit::new(pool);
    let process = Process::new(config.terms());
    let topology = crate::topology_for(&process);
    let messaging = Messaging::new(kit.clone(), common.broker.url.expose(), topology.clone())
        .bounded((&common.outbox).into());
    runtime::messaging::start(lifecycle, &health, &messaging);
    lifecycle.spawn("clock", process.clone().keep_time(kit.clone(), lifecycle.soft()));
    lifecycle.spawn("housekeeping", housekeeping::run(kit.pool().clone(), lifecycle.soft()));

    // It ends by itself when the last request has: the router holds the only door.
    let (placing, jobs) = Placing::new();
    lifecycle.spawn("group commit", jobs.work(kit.clone(), process.clone()));

    let catalogue = config.product_catalog_url.clone();
    let broker = common.broker.url.expose();
    let replays = Replays::new(kit.clone(), broker, topology.clone(), catalogue)?;
    let state = State { kit, topology, verifier, process, placing, webhooks, replays };
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
