//! Messaging in a service's process: relay and consumers as tasks of its lifecycle, the broker in its health.

use std::{convert::Infallible, time::Duration};

use ::messaging::{ConnectionStatus, Criticality, MessagingRuntime, Outbox, Overloaded, Topology};
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

/// The age at which an unpublished event shows that something is wrong.
const OLD_EVENT: Duration = Duration::from_secs(5);

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
/// Migrate every service before the first one serves: then no event is published before its queues exist. Exchanges and queues that
/// exist with other properties are logged: the service runs nevertheless, see decision 0018.
pub async fn migrate(
    service: &Service,
    servers: &config::Servers,
    migrators: &[&Migrator],
    topology: &Topology,
) -> Result<(), MigrateError> {
    let servers = servers.clone().with_tls_files();
    database::migrate(service, &servers.database, migrators).await?;
    let deadline = Instant::now() + BROKER_START_TIMEOUT;
    loop {
        match ::messaging::declare(servers.broker.url.expose(), topology).await {
            Ok(differences) => {
                for difference in differences {
                    tracing::error!(%difference, "an object of the broker differs from its declaration");
                }
                return Ok(());
            }
            Err(error) if Instant::now() >= deadline => return Err(MigrateError::Broker(error)),
            Err(error) => {
                tracing::info!(error = problem::chain(&error), "the broker does not answer yet");
                tokio::time::sleep(BROKER_RETRY_DELAY).await;
            }
        }
    }
}

/// Starts the relay and the consumers, and reports the health components `events_out`, `events_in`, `outbox` and `topology`.
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
    lifecycle.spawn("messaging health", report_health(health, messaging, lifecycle.soft()));
}

/// Reports the health of messaging until `stopping`.
///
/// A service without a broker still answers requests, and orders are still placed. So its components are degraded, not down,
/// once their first attempt has succeeded or failed. Only a full outbox, which refuses every write, is down.
fn report_health(
    health: &Health,
    messaging: &MessagingRuntime,
    stopping: CancellationToken,
) -> impl Future<Output = Result<(), Infallible>> + use<> {
    let (out, incoming) = (health.component("events_out"), health.component("events_in"));
    let (outbox, topology) = (health.component("outbox"), health.component("topology"));
    let mut connections = messaging.connection_status();
    let mut backpressure = messaging.backpressure();
    async move {
        loop {
            let status = connections.borrow_and_update().clone();
            let state = backpressure.borrow_and_update().clone();
            if !status.is_publisher_starting() {
                report(&out, unpublished_reason(&status, state.outbox_age));
            }
            if !status.is_consumer_starting() {
                report(&incoming, unconsumed_reason(&status));
                report(&topology, difference_reason(&status));
            }
            match state.admit(Criticality::Critical) {
                Ok(()) => report(&outbox, state.admit(Criticality::Deferrable).err().map(reason)),
                Err(overloaded) => outbox.down(overloaded.reason),
            }
            tokio::select! {
                () = stopping.cancelled() => break,
                changed = connections.changed() => if changed.is_err() { break },
                changed = backpressure.changed() => if changed.is_err() { break },
            }
        }
        Ok(())
    }
}

fn reason(overloaded: Overloaded) -> String {
    overloaded.reason
}

/// Why some events are not published, if so.
fn unpublished_reason(status: &ConnectionStatus, oldest: Duration) -> Option<String> {
    if let Some(reason) = &status.publisher_down {
        return Some(reason.clone());
    }
    if !status.suspended.is_empty() {
        let keys = status.suspended.join(", ");
        return Some(format!("the broker does not confirm events with the routing keys {keys}"));
    }
    let is_old = oldest > OLD_EVENT;
    is_old.then(|| format!("an event has not been published for more than {OLD_EVENT:?}"))
}

/// Why some events are not consumed, if so.
fn unconsumed_reason(status: &ConnectionStatus) -> Option<String> {
    if let Some(reason) = &status.consumer_down {
        return Some(reason.clone());
    }
    let failed = status.failed_queues.iter().map(|(queue, reason)| format!("{queue}: {reason}"));
    let missing = status.missing_messages.iter().map(|(queue, messages)| {
        format!("{queue}: {messages} messages are missing, and their publisher does not answer")
    });
    let failed: Vec<String> = failed.chain(missing).collect();
    (!failed.is_empty()).then(|| failed.join("; "))
}

/// What exists on the broker with other properties than declared, if anything does.
fn difference_reason(status: &ConnectionStatus) -> Option<String> {
    let differences: Vec<String> = status.differences.iter().map(ToString::to_string).collect();
    (!differences.is_empty()).then(|| differences.join("; "))
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

fn report(component: &Component, degraded: Option<String>) {
    match degraded {
        None => component.up(),
        Some(reason) => component.degraded(reason),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use messaging::ConnectionStatus;

    use super::{unconsumed_reason, unpublished_reason};

    #[test]
    fn events_are_published_if_none_of_them_is_old() {
        let mut status = ConnectionStatus::default();
        assert_eq!(unpublished_reason(&status, Duration::from_secs(5)), None);
        assert!(unpublished_reason(&status, Duration::from_secs(6)).unwrap().contains("5s"));
        status.suspended = vec!["order.0".to_owned(), "order.2".to_owned()];
        let reason = unpublished_reason(&status, Duration::ZERO).unwrap();
        assert!(reason.ends_with("order.0, order.2"), "{reason}");
        status.publisher_down = Some("refused".to_owned());
        assert_eq!(unpublished_reason(&status, Duration::ZERO).as_deref(), Some("refused"));
    }

    #[test]
    fn a_failed_queue_is_named() {
        let mut status = ConnectionStatus::default();
        assert_eq!(unconsumed_reason(&status), None);
        status.failed_queues.insert("stock.order.0".to_owned(), "no leader".to_owned());
        assert_eq!(unconsumed_reason(&status).as_deref(), Some("stock.order.0: no leader"));
    }
}
