//! The consumer of one queue.

use std::{collections::HashMap, sync::Arc, time::Duration};

use lapin::{Channel, types::FieldTable};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{
    BATCH_EVENTS, FIRST_BATCH, IDLE_LIMIT,
    deliveries::{record_part, start_consumer},
    delivery_buffer::{DeliveryBuffer, ReadBatch, WorkItem, prefetch},
    former_queues,
    message_reader::{MessageReader, Part},
    plan::Origin,
    queue_context::QueueContext,
    received_messages::ReceivedMessages,
    shutdown::retry_until_stopped,
    subscription::Ordering,
};
use crate::{
    batch_size::BatchLimit,
    broker::{self, Channels},
    error::Error,
    queue_metrics::{EventTimes, QueueStats, published_at},
    settings::Settings,
};

/// How long a former queue must be empty before its consumer leaves it, and how often it is looked at then. An operator can only delete
/// it while it has no consumer.
const FORMER_IDLE_LIMIT: Duration = Duration::from_secs(2);

/// Consumes one slot group of one subscription: one queue, one channel, one batch at a time. Its parked events are the work of a
/// [`RetryWorker`](super::retry_worker::RetryWorker).
pub(super) struct QueueConsumer {
    pub(super) context: Arc<QueueContext>,
    pub(super) stats: Arc<QueueStats>,
    pub(super) settings: Arc<Settings>,
}

impl QueueConsumer {
    pub(super) async fn run(
        &self,
        channels: &Channels,
        stop: &CancellationToken,
    ) -> Result<(), Error> {
        let mut received = ReceivedMessages::load(&self.context, &self.settings).await?;
        let mut consumed = Ok(());
        while consumed.is_ok() && !stop.is_cancelled() {
            if self.context.is_former && !self.has_messages(channels).await? {
                received.keep(channels).await;
                stop.run_until_cancelled(sleep(FORMER_IDLE_LIMIT)).await;
                continue;
            }
            consumed = self.consume(channels, &mut received, stop).await;
        }
        received.store().await;
        consumed
    }

    /// Whether a former queue has messages. It is never declared again; if it is gone, it is forgotten.
    async fn has_messages(&self, channels: &Channels) -> Result<bool, Error> {
        let QueueContext { outbox, queue, subscription, .. } = &*self.context;
        let found = broker::depth(channels, queue).await?;
        self.settings.connections.queue_works(queue);
        if found.is_none() {
            former_queues::forget_if_gone(outbox, &self.settings, subscription, channels).await?;
        }
        Ok(found.is_some_and(|(messages, _)| messages > 0))
    }

    /// Consumes on a channel of its own until `stop`, or until nothing has arrived for some time.
    async fn consume(
        &self,
        channels: &Channels,
        received: &mut ReceivedMessages<'_>,
        stop: &CancellationToken,
    ) -> Result<(), Error> {
        let queue = &self.context.queue;
        let channel = channels.open().await?;
        let mut buffer = self.start(&channel).await?;
        self.settings.connections.queue_works(queue);
        let idle_limit = if self.context.is_former { FORMER_IDLE_LIMIT } else { IDLE_LIMIT };
        let mut idle_until = Instant::now() + idle_limit;
        let mut next_batch_at = Instant::now();
        while Instant::now() < idle_until {
            let due = received.next_due().map_or(idle_until, |due| due.min(idle_until));
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                item = next_item(&mut buffer, next_batch_at, queue, received) => {
                    let item = item?;
                    self.wait_for_others(&item, received, channels, stop).await;
                    if stop.is_cancelled() {
                        break;
                    }
                    let began = Instant::now();
                    next_batch_at = began + self.context.subscription.batch_interval();
                    self.stats.started(buffer.messages(&item));
                    let parked = retry_until_stopped(stop, |failures| self.process(&item, failures)).await;
                    let Some(parked) = parked else { break };
                    // Events committed without an acknowledgement are redelivered and recognised by their cursors.
                    let acknowledged = buffer.finish(item, began.elapsed(), queue, received).await?;
                    self.stats.acknowledged(acknowledged);
                    if parked {
                        self.context.parked.notify_one();
                    }
                    idle_until = Instant::now() + idle_limit;
                }
                () = sleep_until(due) => {}
            }
            received.keep(channels).await;
        }
        // The channel is closed before the consumer is dropped. Otherwise the broker delivers later messages to another process while
        // earlier ones are still unacknowledged here.
        broker::close_channel(&channel).await
    }

    /// Waits for older messages in another queue, if the order matters.
    async fn wait_for_others(
        &self,
        item: &WorkItem,
        received: &mut ReceivedMessages<'_>,
        channels: &Channels,
        stop: &CancellationToken,
    ) {
        if let (Ordering::Sequenced(_), WorkItem::Messages(ReadBatch { messages, .. })) =
            (self.context.subscription.ordering(), item)
        {
            received.wait_for_others(messages, channels, stop).await;
        }
    }

    async fn start(&self, channel: &Channel) -> Result<DeliveryBuffer, Error> {
        let QueueContext { outbox, queue, consumer, subscription, .. } = &*self.context;
        let ordering = subscription.ordering();
        let prefetch = prefetch(ordering);
        let deliveries = start_consumer(channel, queue, prefetch, FieldTable::default()).await?;
        let limit = BatchLimit::new(subscription.batch_size(), BATCH_EVENTS, FIRST_BATCH);
        let signatures = outbox.signatures();
        let reader = MessageReader::of_queue(consumer, queue, subscription, signatures);
        Ok(DeliveryBuffer::new(ordering, deliveries, limit, reader))
    }

    /// Processes the events of a work item; unreadable parts become dead letters. Returns whether events of its keys are parked.
    async fn process(&self, item: &WorkItem, outages: u32) -> Result<bool, Error> {
        let QueueContext { outbox, consumer, .. } = &*self.context;
        let mut parts: Vec<&Part> = Vec::new();
        match item {
            WorkItem::Messages(ReadBatch { batch, messages }) => {
                let mut times = EventTimes::default();
                for (delivery, message) in batch.deliveries.iter().zip(messages) {
                    let emitted = message.parts.iter().flatten().map(|event| event.envelope.time);
                    times.add(published_at(delivery), emitted);
                    parts.extend(&message.parts);
                }
                self.stats.decoded(times);
            }
            WorkItem::Events(tagged, times) => {
                parts.extend(tagged.iter().map(|(_, part)| part));
                self.stats.decoded(*times);
            }
        }
        let mut events = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Ok(event) => events.push(event.clone()),
                Err(unreadable) => record_part(outbox, consumer, unreadable).await?,
            }
        }
        let processor = self.context.processor(self.context.are_suspect(outages).await);
        processor.process(events, HashMap::new(), Origin::Queue).await
    }
}

/// The next work item, not before `earliest`. Deliveries that arrive meanwhile wait in the buffer of the channel.
async fn next_item(
    buffer: &mut DeliveryBuffer,
    earliest: Instant,
    queue: &str,
    received: &mut ReceivedMessages<'_>,
) -> Result<WorkItem, Error> {
    sleep_until(earliest).await;
    buffer.next(queue, received).await
}
