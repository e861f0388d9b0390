//! Deliveries of the broker.

use futures::{FutureExt, StreamExt};
use lapin::{
    Channel, Consumer,
    message::Delivery,
    options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions},
    types::FieldTable,
};

use super::{
    WRITE_TIMEOUT,
    dead_letter::{UnreadableMessage, record_unreadable},
};
use crate::{
    broker,
    error::{Error, causes, with_timeout},
    publish::outbox::Outbox,
};

/// Starts a consumer on a channel of its own. If it fails, the channel is closed: the broker may start the consumer later, it would be
/// the only active one of the queue, and its messages would get lost here. Closing the channel ends it.
pub(crate) async fn start_consumer(
    channel: &Channel,
    queue: &str,
    prefetch: u16,
    arguments: FieldTable,
) -> Result<Consumer, Error> {
    let qos = channel.basic_qos(prefetch, BasicQosOptions::default());
    with_timeout("setting the prefetch", broker::REPLY_TIMEOUT, qos).await?;
    let consumer =
        channel.basic_consume(queue.into(), "".into(), BasicConsumeOptions::default(), arguments);
    let started = with_timeout("starting a consumer", broker::REPLY_TIMEOUT, consumer).await;
    if started.is_err()
        && let Err(error) = broker::close_channel(channel).await
    {
        tracing::debug!(queue, causes = ?causes(&error), "the channel of a consumer is not closed yet");
    }
    started
}

/// Deliveries that are processed together.
pub(crate) struct DeliveryBatch {
    pub(crate) deliveries: Vec<Delivery>,
    /// The approximate number of events.
    pub(crate) events: usize,
    /// Whether the broker cancelled the consumer after these deliveries. It reports that only once.
    is_cancelled: bool,
}

impl DeliveryBatch {
    pub(crate) async fn acknowledge(&self, queue: &str) -> Result<(), Error> {
        if let Some(last) = self.deliveries.last() {
            let ack = last.acker.ack(BasicAckOptions { multiple: true });
            // `false` means that it was not sent: the events are redelivered and recognised by their cursors.
            with_timeout("acknowledging", broker::REPLY_TIMEOUT, ack).await?;
        }
        if self.is_cancelled { Err(Error::ConsumerCancelled(queue.to_owned())) } else { Ok(()) }
    }
}

/// Collects the first delivery and those available behind it, up to about `limit` events.
pub(crate) fn collect_batch(
    first: Option<Result<Delivery, lapin::Error>>,
    deliveries: &mut Consumer,
    queue: &str,
    limit: usize,
) -> Result<DeliveryBatch, Error> {
    let first = first.ok_or_else(|| Error::ConsumerCancelled(queue.to_owned()))??;
    let (events, is_cancelled) = (estimate_events(&first), false);
    let mut batch = DeliveryBatch { events, deliveries: vec![first], is_cancelled };
    while batch.events < limit && !batch.is_cancelled {
        match deliveries.next().now_or_never() {
            Some(Some(Ok(delivery))) => {
                batch.events += estimate_events(&delivery);
                batch.deliveries.push(delivery);
            }
            Some(Some(Err(_)) | None) => batch.is_cancelled = true,
            None => break,
        }
    }
    Ok(batch)
}

/// Estimates the number of events of a message by its size, to avoid decoding it twice. An envelope with data has about half a KiB.
fn estimate_events(delivery: &Delivery) -> usize {
    1 + delivery.data.len() / 512
}

/// Records an unreadable part as a dead letter.
pub(super) async fn record_part(
    outbox: &Outbox,
    consumer: &str,
    ((exchange, routing_key), unreadable): &((String, String), UnreadableMessage),
) -> Result<(), Error> {
    let recorded = async {
        let mut connection = outbox.pool().acquire().await?;
        record_unreadable(&mut connection, consumer, (exchange, routing_key), unreadable).await
    };
    with_timeout("recording a dead letter", WRITE_TIMEOUT, recorded).await
}
