//! The consumer of one queue.

use std::{collections::HashMap, sync::Arc};

use lapin::{Channel, types::FieldTable};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    BATCH_EVENTS, FIRST_BATCH,
    deliveries::{decode, record_part, start_consumer},
    delivery_buffer::{DeliveryBuffer, WorkItem, prefetch},
    plan::Origin,
    queue_context::QueueContext,
    shutdown::retry_until_stopped,
};
use crate::{
    batch_size::BatchLimit,
    broker,
    connection_status::ConnectionMonitor,
    error::{Error, with_timeout},
    queue_metrics::{EventTimes, QueueStats, published_at},
};

/// Consumes one slot group of one subscription: one queue, one channel, one batch at a time. Its parked events are the work of a
/// [`RetryWorker`](super::retry_worker::RetryWorker).
pub(super) struct QueueConsumer {
    pub(super) context: Arc<QueueContext>,
    pub(super) stats: Arc<QueueStats>,
    pub(super) connections: ConnectionMonitor,
}

impl QueueConsumer {
    pub(super) async fn run(
        &self,
        channel: &Channel,
        stop: &CancellationToken,
    ) -> Result<(), Error> {
        let queue = &self.context.queue;
        let mut buffer = self.start(channel).await?;
        self.connections.queue_works(queue);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                item = buffer.next(queue) => {
                    let (item, began) = (item?, Instant::now());
                    self.stats.started(buffer.messages(&item));
                    let parked = retry_until_stopped(stop, |failures| self.process(&item, failures)).await;
                    let Some(parked) = parked else { break };
                    // Events committed without an acknowledgement are redelivered and recognised by their cursors.
                    let acknowledged = buffer.finish(item, began.elapsed(), queue).await?;
                    self.stats.acknowledged(acknowledged);
                    if parked {
                        self.context.parked.notify_one();
                    }
                }
            }
        }
        // The channel is closed before the consumer is dropped. Otherwise the broker delivers later messages to another process while
        // earlier ones are still unacknowledged here.
        with_timeout("closing a channel", broker::REPLY_TIMEOUT, channel.close(200, "done".into()))
            .await
    }

    async fn start(&self, channel: &Channel) -> Result<DeliveryBuffer, Error> {
        let QueueContext { queue, consumer, subscription, .. } = &*self.context;
        let ordering = subscription.ordering();
        let prefetch = prefetch(ordering);
        let deliveries = start_consumer(channel, queue, prefetch, FieldTable::default()).await?;
        let limit = BatchLimit::new(subscription.batch_size(), BATCH_EVENTS, FIRST_BATCH);
        Ok(DeliveryBuffer::new(ordering, deliveries, limit, consumer, subscription.aggregate()))
    }

    /// Processes the events of a work item; unreadable parts become dead letters. Returns whether events of its keys are parked.
    async fn process(&self, item: &WorkItem, outages: u32) -> Result<bool, Error> {
        let QueueContext { outbox, consumer, subscription, .. } = &*self.context;
        let mut events = Vec::new();
        match item {
            WorkItem::Messages(batch) => {
                let is_subscribed = |aggregate: &str| aggregate == subscription.aggregate();
                let mut times = EventTimes::default();
                for delivery in &batch.deliveries {
                    let decoded = decode(outbox, consumer, delivery, &is_subscribed).await?;
                    let emitted = decoded.iter().map(|event| event.envelope.time);
                    times.add(published_at(delivery), emitted);
                    events.extend(decoded);
                }
                self.stats.decoded(times);
            }
            WorkItem::Events(parts, times) => {
                for (_, part) in parts {
                    match part {
                        Ok(event) => events.push(event.clone()),
                        Err(unreadable) => {
                            record_part(outbox, consumer, unreadable).await?;
                        }
                    }
                }
                self.stats.decoded(*times);
            }
        }
        let processor = self.context.processor(self.context.are_suspect(outages).await);
        processor.process(events, HashMap::new(), Origin::Queue).await
    }
}
