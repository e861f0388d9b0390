//! The dead-letter queue of the broker: messages that were redelivered too often because processes died over them.

use std::time::Duration;

use futures::StreamExt;
use lapin::{message::Delivery, types::FieldTable};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{
    FIRST_BATCH, IDLE_LIMIT,
    batch_processor::BatchProcessor,
    deliveries::{collect_batch, decode, start_consumer},
    plan::{Disposition, Origin},
    received_event::ReceivedEvent,
    shutdown::retry_until_stopped,
    subscription::Subscription,
};
use crate::{
    broker::{self, Channels},
    error::Error,
    naming::dead_queue,
    publish::outbox::Outbox,
};

/// Moves the messages of the dead-letter queue to the parked events.
pub(super) async fn drain(
    outbox: &Outbox,
    service: &str,
    subscriptions: &[Subscription],
    channels: &Channels,
    stop: &CancellationToken,
) -> Result<(), Error> {
    while !stop.is_cancelled() {
        drain_until_idle(outbox, service, subscriptions, channels, stop).await?;
    }
    Ok(())
}

/// Moves messages until `stop`, or until none has arrived for [`IDLE_LIMIT`].
async fn drain_until_idle(
    outbox: &Outbox,
    service: &str,
    subscriptions: &[Subscription],
    channels: &Channels,
    stop: &CancellationToken,
) -> Result<(), Error> {
    let queue = dead_queue(service);
    let channel = channels.open().await?;
    let mut deliveries = start_consumer(&channel, &queue, 1, FieldTable::default()).await?;
    loop {
        let first = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            first = deliveries.next() => first,
            () = sleep(IDLE_LIMIT) => break,
        };
        let batch = collect_batch(first, &mut deliveries, &queue, FIRST_BATCH)?;
        let park = |_| park_all(outbox, service, subscriptions, &queue, &batch.deliveries);
        if retry_until_stopped(stop, park).await.is_none() {
            break;
        }
        batch.acknowledge(&queue).await?;
    }
    broker::close_channel(&channel).await
}

/// Parks all events of `deliveries` for their consumers.
///
/// One of them kills its consumers, and the broker cannot tell which: the redelivery counts for all messages of a batch. Parked
/// events are handled key by key and their starts are counted, so the fatal one becomes a dead letter alone.
async fn park_all(
    outbox: &Outbox,
    service: &str,
    subscriptions: &[Subscription],
    queue: &str,
    deliveries: &[Delivery],
) -> Result<(), Error> {
    let is_subscribed =
        |aggregate: &str| subscriptions.iter().any(|other| other.aggregate() == aggregate);
    for delivery in deliveries {
        let mut all = decode(outbox, queue, delivery, &is_subscribed).await?;
        for event in &mut all {
            event
                .causes
                .push("delivery limit: consumers died over it or over its batch".to_owned());
        }
        for subscription in subscriptions {
            let consumer = subscription.consumer(service);
            let is_own =
                |event: &&ReceivedEvent| event.envelope.aggregate == subscription.aggregate();
            let events: Vec<ReceivedEvent> = all.iter().filter(is_own).cloned().collect();
            let retry_now = |index| (index, Disposition::Retry(Duration::ZERO));
            let dispositions = (0..events.len()).map(retry_now).collect();
            let processor =
                BatchProcessor { outbox, subscription, consumer: &consumer, is_suspect: false };
            processor.process(events, dispositions, Origin::Queue).await?;
        }
    }
    outbox.parking_signal().send_replace(());
    Ok(())
}
