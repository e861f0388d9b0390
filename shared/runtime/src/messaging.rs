//! Messaging in a service's process: relay and consumers as tasks of its lifecycle, the broker in its health.

use std::{convert::Infallible, time::Duration};

use ::messaging::{ConnectionStatus, Criticality, MessagingRuntime, Outbox, Topology};
use problem::Problem;
use sqlx::migrate::Migrator;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    config,
    database::{self, DatabaseError},
    health::{Component, Health},
    lifecycle::Lifecycle,
    service::Service,
};

/// How long `migrate` waits for a broker that is still starting.
const BROKER_START_TIMEOUT: Duration = Duration::from_mins(1);

/// The pause between two attempts to reach the broker.
const BROKER_RETRY_DELAY: Duration = Duration::from_millis(500);

/// Database or broker could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error("the exchanges and queues of the service could not be declared")]
    Broker(#[source] ::messaging::Error),
}

/// Migrates the service's database and declares the exchanges and queues of its topology.
///
/// Migrate every service before the first one serves: then no event is published before its queues exist.
pub async fn migrate(
    service: &Service,
    servers: &config::Servers,
    migrators: &[&Migrator],
    topology: &Topology,
) -> Result<(), MigrateError> {
    database::migrate(service, &servers.database, migrators).await?;
    let deadline = Instant::now() + BROKER_START_TIMEOUT;
    loop {
        match ::messaging::declare(servers.broker.url.expose(), topology).await {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() >= deadline => return Err(MigrateError::Broker(error)),
            Err(error) => {
                tracing::info!(error = problem::chain(&error), "the broker does not answer yet");
                tokio::time::sleep(BROKER_RETRY_DELAY).await;
            }
        }
    }
}

/// Starts the relay and the consumers, and reports the health components `events_out`, `events_in` and `outbox`.
///
/// At shutdown the consumers finish their current batch first. The relay stops after them, so that it also publishes the
/// events of that batch.
pub fn start(lifecycle: &Lifecycle, health: &Health, messaging: &MessagingRuntime) {
    let consumers_done = CancellationToken::new();
    let (consumers, relay) = (messaging.clone(), messaging.clone());
    let (soft, done) = (lifecycle.soft(), consumers_done.clone());
    lifecycle.spawn("consumers", async move {
        // Also dropped at the hard stop, so that the relay never waits for dropped consumers.
        let _done = done.drop_guard();
        consumers.consume(soft).await;
        Ok::<_, Infallible>(())
    });
    lifecycle.spawn("relay", async move {
        relay.relay(consumers_done).await;
        Ok::<_, Infallible>(())
    });
    let (out, incoming) = (health.component("events_out"), health.component("events_in"));
    let (mut connections, soft) = (messaging.connection_status(), lifecycle.soft());
    lifecycle.spawn("broker health", async move {
        loop {
            let ConnectionStatus { publisher_down, consumer_down } =
                connections.borrow_and_update().clone();
            report(&out, publisher_down);
            report(&incoming, consumer_down);
            tokio::select! {
                () = soft.cancelled() => break,
                changed = connections.changed() => if changed.is_err() { break },
            }
        }
        Ok::<_, Infallible>(())
    });
    let (outbox, soft) = (health.component("outbox"), lifecycle.soft());
    let mut backpressure = messaging.backpressure();
    lifecycle.spawn("outbox health", async move {
        loop {
            let refused = backpressure.borrow_and_update().admit(Criticality::Deferrable).err();
            report(&outbox, refused.map(|overloaded| overloaded.reason));
            tokio::select! {
                () = soft.cancelled() => break,
                changed = backpressure.changed() => if changed.is_err() { break },
            }
        }
        Ok::<_, Infallible>(())
    });
}

/// Refuses a write with 503 and `Retry-After` while the outbox is too full for its criticality, or the broker is away.
///
/// HTTP handlers that write call it right after authorisation. The codes are `broker_unavailable` and `outbox_full`.
pub fn admit(outbox: &Outbox, criticality: Criticality) -> Result<(), Problem> {
    outbox.admit(criticality).map_err(|overloaded| {
        metrics::counter!("messaging_writes_refused_total", "code" => overloaded.code).increment(1);
        Problem::unavailable(overloaded.code, overloaded.retry_after)
            .detail(format!("{}.", overloaded.reason))
    })
}

fn report(component: &Component, down: Option<String>) {
    match down {
        None => component.up(),
        Some(reason) => component.down(reason),
    }
}
