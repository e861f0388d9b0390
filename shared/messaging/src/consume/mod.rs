//! Consuming: the consumers decide event by event, and commit effects, cursors and new events together.

pub(crate) mod assignment;
pub(crate) mod batch_processor;
pub(crate) mod batch_splitter;
pub(crate) mod call_handlers;
pub(crate) mod cursors;
pub(crate) mod dead_letter;
mod dead_queue;
pub(crate) mod deliveries;
pub(crate) mod delivery_buffer;
pub(crate) mod dispatch;
mod former_queues;
pub(crate) mod handler;
mod known_groups;
pub(crate) mod latest_wins;
pub(crate) mod lost_events;
mod membership;
pub(crate) mod message_reader;
pub(crate) mod parking;
pub(crate) mod plan;
mod position_ranges;
pub(crate) mod position_store;
mod queue_consumer;
mod queue_context;
pub(crate) mod received_event;
mod received_messages;
pub(crate) mod received_positions;
mod replica;
pub(crate) mod requests;
pub(crate) mod retries;
mod retry_worker;
pub(crate) mod shutdown;
mod slot_group_store;
pub(crate) mod subscription;

use std::{ops::RangeInclusive, sync::Arc, time::Duration};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::{delivery_buffer::prefetch, replica::Replica, subscription::Subscription};
use crate::{
    broker::{self, Session},
    connection_status::Link,
    declare,
    error::{Error, causes},
    publish::outbox::Outbox,
    retry,
    settings::Settings,
};

/// The bounds of an adaptive batch, in events.
const BATCH_EVENTS: RangeInclusive<usize> = 1..=2048;

/// The events of the first batch.
const FIRST_BATCH: usize = 64;

/// How long a consumer may receive nothing before it is replaced. If a queue is deleted and declared again at once, RabbitMQ attaches the
/// consumer to the new queue, but its channel drops the messages as duplicates of those of the old one.
const IDLE_LIMIT: Duration = Duration::from_secs(30);

/// The timeout for database writes outside a batch: dead letters, parked events and their start counters. It exceeds the lock
/// timeout.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// How often a parked event is started at most. Failures are bounded more tightly; this limit is for events that kill the process,
/// which cannot be counted as failures.
const MAX_STARTS: i32 = 30;

/// The queues of these subscriptions in the setting, each with its prefetch.
pub(crate) fn queues(settings: &Settings, subscriptions: &[Subscription]) -> Vec<(String, u16)> {
    let queues = |subscription: &Subscription| {
        let prefetch = prefetch(subscription.ordering());
        let queue = |group| (subscription.queue(settings.service, group), prefetch);
        (0..settings.slot_groups.of(subscription.aggregate())).map(queue).collect::<Vec<_>>()
    };
    subscriptions.iter().flat_map(queues).collect()
}

/// Consumes all subscriptions until `stop`; then finishes the current batches, within
/// [`SHUTDOWN_GRACE`](shutdown::SHUTDOWN_GRACE).
pub(crate) async fn run(
    outbox: &Outbox,
    settings: &Arc<Settings>,
    subscriptions: &[Subscription],
    stop: &CancellationToken,
) {
    let mut attempt = 0;
    while !stop.is_cancelled() {
        let began = Instant::now();
        if let Err(error) = session(outbox, settings, subscriptions, stop).await {
            settings.connections.down(Link::Consumer, &error);
            attempt = retry::consecutive_failures(attempt, began);
            let delay = retry::backoff(attempt);
            tracing::warn!(causes = ?causes(&error), ?delay, "the consumers lost the broker; retrying");
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = stop.cancelled() => {}
            }
        }
    }
}

/// Consumes on one connection until it fails, or until the queues of the service have changed.
async fn session(
    outbox: &Outbox,
    settings: &Arc<Settings>,
    subscriptions: &[Subscription],
    stop: &CancellationToken,
) -> Result<(), Error> {
    let name = format!("{}: consumer", settings.service);
    let session = Session::connect(&settings.amqp_url, &name, broker::CONSUMER_HEARTBEAT).await?;
    let channels = session.channels()?;
    declare::declare_topology(&channels, settings).await?;
    settings.connections.up(Link::Consumer);
    settings.connections.reset_queues();
    let known =
        Box::pin(former_queues::known_groups(outbox, settings, subscriptions, &channels)).await?;
    drop(channels);
    Replica::new(outbox, settings, subscriptions, session, known).run(stop).await
}
