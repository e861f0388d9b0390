//! The running service: state, relay, consumers, tail and HTTP server under one lifecycle.

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use axum::extract::FromRef;
use messaging::{Kit, Messaging, Topology};
use runtime::{
    Lifecycle,
    auth::{KeyError, Verifier},
    database::{self, DatabaseError},
    health::Health,
    http::ServeError,
};
use tokio::time::{Instant, sleep};

use crate::{
    SERVICE,
    catalogue::{Catalogue, CatalogueError},
    config::Config,
    http::{self, Searching},
    tail::{self, Folder, FolderError, Live, Rebuilder, Wake},
    topology_waking,
    upkeep::Upkeep,
};

/// How long to wait for a process that is just ending to let go of the folder of the index.
const FOLDER: Duration = Duration::from_secs(30);

/// What the HTTP handlers work with; each names what it uses.
#[derive(Clone, FromRef)]
pub struct AppState {
    kit: Kit,
    topology: Topology,
    verifier: Verifier,
    live: Live,
    searching: Searching,
    rebuilder: Rebuilder,
    upkeep: Upkeep,
}

/// Why the service could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// There is no key to verify tokens with.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// There is no folder for the index.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// There is no client for the catalogue.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// The address is taken.
    #[error(transparent)]
    Serve(#[from] ServeError),
}

/// A service that has started.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    /// Ends it.
    pub lifecycle: Lifecycle,
}

/// Starts the service, and returns once it listens.
pub async fn start(config: Config) -> Result<Running, StartError> {
    let common = &config.common;
    let lifecycle = Lifecycle::new(common.shutdown.timeout);
    let health = Health::new(&lifecycle);
    let verifier = Verifier::read(&common.tokens.public_key_file)?;
    let catalogue = Catalogue::at(config.product_catalog_url.clone())?;
    let folder = take_folder(&config).await?;
    let database = database::connect(&SERVICE, &common.database).await?;
    database::watch(&lifecycle, &health, database.clone());

    let (kit, wake) = (Kit::new(database), Wake::default());
    let component = health.component("index");
    let (live, rebuilder) = tail::start(&lifecycle, component, &kit, folder, wake.clone());
    let messaging = Messaging::new(kit.clone(), common.broker.url.expose(), topology_waking(&wake))
        .bounded((&common.outbox).into());
    runtime::messaging::start(&lifecycle, &health, &messaging);

    let upkeep = Upkeep::new(kit.clone(), live.clone(), wake, catalogue);
    let searching = Searching::new(live.clone());
    let topology = messaging.topology().clone();
    let state = AppState { kit, topology, verifier, live, searching, rebuilder, upkeep };
    let face = http::routes().with_state(state);
    let router = runtime::http::router(&SERVICE, face, &health, &lifecycle, &common.http);
    let address = runtime::http::serve(&lifecycle, &common.http, router).await?;
    Ok(Running { address, lifecycle })
}

/// Takes the folder of the index, from a process that is just ending if need be.
async fn take_folder(config: &Config) -> Result<Folder, FolderError> {
    let deadline = Instant::now() + FOLDER;
    loop {
        match Folder::take(&config.index_dir) {
            Err(FolderError::InUse(path)) if Instant::now() < deadline => {
                tracing::info!(folder = %path.display(), "waiting for the folder of the index");
                sleep(Duration::from_millis(250)).await;
            }
            taken => return taken,
        }
    }
}

/// Runs the service until it is told to stop.
pub async fn run(config: Config) -> Result<ExitCode, StartError> {
    Ok(start(config).await?.lifecycle.run_until_shutdown().await)
}
