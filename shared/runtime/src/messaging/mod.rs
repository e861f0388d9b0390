//! Messaging as a part of a service's life: relay and consumers under its lifecycle, the broker in its health, dead
//! letters among its routes.

mod dead_letters;

use std::{convert::Infallible, time::Duration};

use ::messaging::{Connectivity, Kit, Messaging, Topology, Worth};
use problem::Problem;
use sqlx::migrate::Migrator;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use dead_letters::dead_letter_routes;

use crate::{
    Lifecycle, Service, config,
    database::{self, DatabaseError},
    health::{Component, Health},
};

/// How long a broker that is still starting is waited for.
const BROKER_STARTS: Duration = Duration::from_mins(1);

/// How long between two looks at a broker that is still starting.
const ANOTHER_LOOK: Duration = Duration::from_millis(500);

/// Why the servers are not prepared.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The broker.
    #[error("the exchanges and queues of the service could not be declared")]
    Broker(#[source] ::messaging::Error),
}

/// Prepares the servers for a service: the database gets its newest schema, the broker the exchanges and queues of the
/// topology. When every service has been migrated before the first one serves, nothing is ever said that finds no queue.
pub async fn migrate(
    service: &Service,
    servers: &config::Servers,
    migrators: &[&Migrator],
    topology: &Topology,
) -> Result<(), MigrateError> {
    database::migrate(service, &servers.database, migrators).await?;
    let deadline = Instant::now() + BROKER_STARTS;
    loop {
        match ::messaging::declare(servers.broker.url.expose(), topology).await {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() >= deadline => return Err(MigrateError::Broker(error)),
            Err(error) => {
                tracing::info!(error = problem::chain(&error), "the broker is not there yet");
                tokio::time::sleep(ANOTHER_LOOK).await;
            }
        }
    }
}

/// Starts the relay and the consumers, and keeps the health components `events_out`, `events_in` and `outbox` current.
///
/// At shutdown the consumers finish what is in hand first; the relay goes on until they have, so that what they said
/// leaves with them.
pub fn start(lifecycle: &Lifecycle, health: &Health, messaging: &Messaging) {
    let consumers_done = CancellationToken::new();
    let (consumers, relay) = (messaging.clone(), messaging.clone());
    let (soft, done) = (lifecycle.soft(), consumers_done.clone());
    lifecycle.spawn("consumers", async move {
        // Dropped at the hard end too, so that the relay never waits for consumers that are gone.
        let _done = done.drop_guard();
        consumers.consume(soft).await;
        Ok::<_, Infallible>(())
    });
    lifecycle.spawn("relay", async move {
        relay.relay(consumers_done).await;
        Ok::<_, Infallible>(())
    });
    let (out, incoming) = (health.component("events_out"), health.component("events_in"));
    let (mut connectivity, soft) = (messaging.connectivity(), lifecycle.soft());
    lifecycle.spawn("broker health", async move {
        loop {
            let Connectivity { publisher_down, consumer_down } =
                connectivity.borrow_and_update().clone();
            tell(&out, publisher_down);
            tell(&incoming, consumer_down);
            tokio::select! {
                () = soft.cancelled() => break,
                changed = connectivity.changed() => if changed.is_err() { break },
            }
        }
        Ok::<_, Infallible>(())
    });
    let (outbox, soft) = (health.component("outbox"), lifecycle.soft());
    let mut pressure = messaging.pressure();
    lifecycle.spawn("outbox health", async move {
        loop {
            let refused = pressure.borrow_and_update().admit(Worth::Lesser).err();
            tell(&outbox, refused.map(|shed| shed.reason));
            tokio::select! {
                () = soft.cancelled() => break,
                changed = pressure.changed() => if changed.is_err() { break },
            }
        }
        Ok::<_, Infallible>(())
    });
}

/// Refuses a write of this worth, with 503 and `Retry-After`, while the outbox is too full for it or its events do not leave:
/// the first thing that a handler does on behalf of a caller who may write.
///
/// The codes are `broker_unavailable` and `outbox_full`.
pub fn admit(kit: &Kit, worth: Worth) -> Result<(), Problem> {
    kit.admit(worth).map_err(|shed| {
        metrics::counter!("messaging_writes_refused_total", "code" => shed.code).increment(1);
        Problem::unavailable(shed.code, shed.retry_after).detail(format!("{}.", shed.reason))
    })
}

fn tell(component: &Component, down: Option<String>) {
    match down {
        None => component.up(),
        Some(reason) => component.down(reason),
    }
}
