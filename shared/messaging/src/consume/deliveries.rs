//! Deliveries of the broker, and the events that they carry.

use envelope::{DecodeError, Envelope, decode_parts};
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
    received_event::ReceivedEvent,
};
use crate::{
    broker,
    error::{Error, causes, with_timeout},
    publish::outbox::Outbox,
};

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
    with_timeout("starting a consumer", broker::REPLY_TIMEOUT, consumer).await
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

/// A part of a message: an event, or an unreadable part with the exchange and routing key of the message.
pub(super) type Part = Result<ReceivedEvent, ((String, String), UnreadableMessage)>;

/// Splits a message into events. Parts that cannot be decoded, or belong to an aggregate without a subscription, are unreadable.
pub(super) fn split_message(
    consumer: &str,
    delivery: &Delivery,
    is_subscribed: &impl Fn(&str) -> bool,
) -> Result<Vec<Part>, Error> {
    let route = (delivery.exchange.to_string(), delivery.routing_key.to_string());
    let part = |part: Result<Envelope, (DecodeError, Vec<u8>)>| {
        let route = route.clone();
        Ok(match part {
            Ok(envelope) if is_subscribed(&envelope.aggregate) => {
                Ok(ReceivedEvent { envelope, attempts: 0, causes: Vec::new(), route })
            }
            Ok(envelope) => {
                let causes =
                    vec![format!("{} is not subscribed to {}", consumer, envelope.aggregate)];
                let payload = serde_json::to_vec(&envelope)?;
                Err((route, UnreadableMessage { reason: "foreign_aggregate", causes, payload }))
            }
            Err((error, payload)) => {
                let causes = causes(&error);
                Err((route, UnreadableMessage { reason: "undecodable", causes, payload }))
            }
        })
    };
    decode_parts(&delivery.data).into_iter().map(part).collect()
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

/// Decodes the events of a message. Unreadable parts become dead letters.
pub(super) async fn decode(
    outbox: &Outbox,
    consumer: &str,
    delivery: &Delivery,
    is_subscribed: &impl Fn(&str) -> bool,
) -> Result<Vec<ReceivedEvent>, Error> {
    let mut events = Vec::new();
    for part in split_message(consumer, delivery, is_subscribed)? {
        match part {
            Ok(event) => events.push(event),
            Err(unreadable) => record_part(outbox, consumer, &unreadable).await?,
        }
    }
    Ok(events)
}
