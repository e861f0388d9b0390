//! The running service: state, relay, consumers and HTTP server under one lifecycle.

use std::{convert::Infallible, net::SocketAddr, process::ExitCode, time::Duration};

use axum::extract::FromRef;
use messaging::{Kit, Messaging, Topology};
use runtime::{
    Lifecycle,
    auth::{KeyError, Verifier},
    database::{self, DatabaseError},
    health::Health,
    http::ServeError,
};
use sqlx::PgPool;

use crate::{SERVICE, config::Config, http, topology};

/// What the HTTP handlers work with; each names what it uses.
#[derive(Clone, FromRef)]
pub struct AppState {
    kit: Kit,
    topology: Topology,
    verifier: Verifier,
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
    let database = database::connect(&SERVICE, &common.database).await?;
    database::watch(&lifecycle, &health, database.clone());
    forget_old_keys(&lifecycle, database.clone());

    let kit = Kit::new(database);
    let messaging = Messaging::new(kit.clone(), common.broker.url.expose(), topology())
        .bounded((&common.outbox).into());
    runtime::messaging::start(&lifecycle, &health, &messaging);

    let state = AppState { kit, topology: messaging.topology().clone(), verifier };
    let face = http::routes().with_state(state);
    let router = runtime::http::router(&SERVICE, face, &health, &lifecycle, &common.http);
    let address = runtime::http::serve(&lifecycle, &common.http, router).await?;
    Ok(Running { address, lifecycle })
}

/// Runs the service until it is told to stop.
pub async fn run(config: Config) -> Result<ExitCode, StartError> {
    Ok(start(config).await?.lifecycle.run_until_shutdown().await)
}

/// How often old idempotency keys are looked for.
const FORGET_EVERY: Duration = Duration::from_hours(1);

/// How many days a client may take to repeat a request under its key.
const REMEMBERED_DAYS: i32 = 7;

fn forget_old_keys(lifecycle: &Lifecycle, database: PgPool) {
    let stopping = lifecycle.soft();
    lifecycle.spawn("idempotency keys", async move {
        let mut ticks = tokio::time::interval(FORGET_EVERY);
        while stopping.run_until_cancelled(ticks.tick()).await.is_some() {
            let forgotten = async {
                let mut connection = database.acquire().await?;
                idempotency::forget(&mut connection, REMEMBERED_DAYS).await
            };
            if let Err(error) = forgotten.await {
                tracing::warn!(
                    error = problem::chain(&error),
                    "old idempotency keys were not forgotten"
                );
            }
        }
        Ok::<(), Infallible>(())
    });
}
