//! The running service: state, intake, learner, relay, consumers and HTTP server under one lifecycle.

use std::{convert::Infallible, net::SocketAddr, process::ExitCode, sync::Arc};

use axum::extract::FromRef;
use contracts::behavior::USER_EVENTS_STREAM;
use messaging::{
    Kit, Messaging, Topology,
    stream::{self, Intake},
};
use runtime::{
    Lifecycle,
    auth::{KeyError, Verifier},
    database::{self, DatabaseError},
    health::Health,
    http::ServeError,
};

use crate::{
    SERVICE,
    config::Config,
    consumes::behavior_analytics::user_events::{KeepUserEvents, READER},
    housekeeping, http,
    learning::{self, Knowledge, Wake},
    popularity,
    replaying::Replays,
    topology_for,
};

/// What the HTTP handlers work with; each names what it uses.
#[derive(Clone, FromRef)]
pub struct AppState {
    kit: Kit,
    topology: Topology,
    verifier: Verifier,
    intake: Intake,
    knowledge: Knowledge,
    replays: Replays,
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
    housekeeping::start(&lifecycle, database.clone(), config.retention_days);

    let wake = Wake::default();
    let knowledge =
        learning::start(&lifecycle, &health, database.clone(), config.model_days, wake.clone());
    let kit = Kit::new(database);
    popularity::start(&lifecycle, kit.clone(), knowledge.clone());
    let messaging = Messaging::new(kit.clone(), common.broker.url.expose(), topology_for(&wake))
        .bounded((&common.outbox).into());
    runtime::messaging::start(&lifecycle, &health, &messaging);
    let broker = common.broker.url.expose();
    let replays = Replays::new(kit.clone(), broker, config.retention_days, wake.clone());
    let intake = start_stream(&lifecycle, &kit, broker, wake);

    let topology = messaging.topology().clone();
    let state = AppState { kit, topology, verifier, intake, knowledge, replays };
    let face = http::routes().with_state(state);
    let router = runtime::http::router(&SERVICE, face, &health, &lifecycle, &common.http);
    let address = runtime::http::serve(&lifecycle, &common.http, router).await?;
    Ok(Running { address, lifecycle })
}

/// Starts the publisher and the reader of the stream of user events.
fn start_stream(lifecycle: &Lifecycle, kit: &Kit, amqp_url: &str, wake: Wake) -> Intake {
    let (intake, publisher) = Intake::new(amqp_url, USER_EVENTS_STREAM);
    let soft = lifecycle.soft();
    lifecycle.spawn("intake", async move {
        publisher.run(soft).await;
        Ok::<_, Infallible>(())
    });
    let handler = Arc::new(KeepUserEvents(wake));
    let (kit, url, soft) = (kit.clone(), amqp_url.to_owned(), lifecycle.soft());
    let reading = stream::read(kit, url, USER_EVENTS_STREAM, READER, handler, soft);
    lifecycle.spawn("stream reader", async move {
        reading.await;
        Ok::<_, Infallible>(())
    });
    intake
}

/// Runs the service until it is told to stop.
pub async fn run(config: Config) -> Result<ExitCode, StartError> {
    Ok(start(config).await?.lifecycle.run_until_shutdown().await)
}
