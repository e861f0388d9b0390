//! The dead-letter queue of the broker: messages that were redelivered too often because processes died over them.

use std::{collections::BTreeMap, time::Duration};

use futures::StreamExt;
use lapin::{message::Delivery, types::FieldTable};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{
    FIRST_BATCH, IDLE_LIMIT, WRITE_TIMEOUT,
    batch_processor::BatchProcessor,
    deliveries::{collect_batch, record_part, start_consumer},
    message_reader::{MessageReader, ReadMessage},
    plan::{Disposition, Origin},
    position_store,
    received_event::ReceivedEvent,
    received_positions::ReceivedPositions,
    shutdown::retry_until_stopped,
    subscription::Subscription,
};
use crate::{
    broker::{self, Channels},
    error::{Error, with_timeout},
    message_position::ArrivedPosition,
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
    let reader = MessageReader::of_dead_queue(queue, subscriptions, outbox.signatures());
    for delivery in deliveries {
        let ReadMessage { position, parts } = reader.read(delivery)?;
        let mut all = Vec::new();
        for part in parts {
            match part {
                Ok(event) => all.push(event),
                Err(unreadable) => record_part(outbox, queue, &unreadable).await?,
            }
        }
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
            if events.is_empty() {
                continue;
            }
            let dispositions = (0..events.len()).map(retry_now).collect();
            let processor =
                BatchProcessor { outbox, subscription, consumer: &consumer, is_suspect: false };
            processor.process(events, dispositions, Origin::Queue).await?;
            record_arrival(outbox, subscription, &consumer, position.as_ref()).await?;
        }
    }
    outbox.parking_signal().send_replace(());
    Ok(())
}

/// Records that a message has arrived, though not in its queue. Otherwise the consumer of the queue would ask for it, and processes
/// would die over it again: of full state also after its event has become a dead letter.
async fn record_arrival(
    outbox: &Outbox,
    subscription: &Subscription,
    consumer: &str,
    position: Option<&ArrivedPosition>,
) -> Result<(), Error> {
    let is_expected = |arrived: &&ArrivedPosition| {
        subscription.publishers().iter().any(|publisher| *publisher == arrived.publisher)
    };
    let Some(arrived) = position.filter(is_expected) else { return Ok(()) };
    with_timeout("storing a position", WRITE_TIMEOUT, async {
        let (now, key) = (Instant::now(), (arrived.publisher.clone(), arrived.position.slot));
        let mut tx = outbox.pool().begin().await?;
        let rows = position_store::lock(&mut tx, consumer, &[key]).await?;
        let mut positions = ReceivedPositions::load(rows, BTreeMap::new(), now);
        // The consumer of the queue reports what an operator must know.
        if positions.arrive(arrived, now).is_none() {
            positions.finish(arrived);
            position_store::write(&mut tx, consumer, &positions.take_changed()).await?;
        }
        Ok::<_, Error>(tx.commit().await?)
    })
    .await
}
