//! The baseline: lapin and RabbitMQ without the kit. One publisher and one consumer run concurrently on a
//! quorum queue, with messages of an event's size, confirms in flight and `multiple` acknowledgements.

use std::{collections::VecDeque, time::Instant};

use futures::{FutureExt as _, StreamExt as _};
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, Consumer,
    options::{
        BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
        ConfirmSelectOptions, QueueDeclareOptions,
    },
    types::{AMQPValue, FieldTable},
};
use testkit::Vhost;

use crate::{error::Error, statistics::rate};

const MESSAGES: u64 = 60_000;

/// The size of a message in bytes.
const MESSAGE_SIZE: usize = 512;

/// The most unconfirmed messages.
const IN_FLIGHT: usize = 1_024;

/// The most unacknowledged messages.
const PREFETCH: u16 = 1_024;

const QUEUE: &str = "raw";

/// Messages per second, from publish to acknowledgement.
pub(super) async fn messages_per_second() -> Result<f64, Error> {
    let vhost = Vhost::create().await?;
    let BrokerConnections {
        publisher_connection,
        consumer_connection,
        publish_channel,
        consume_channel,
    } = BrokerConnections::open(&vhost, QUEUE).await?;
    consume_channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
    let options = BasicConsumeOptions::default();
    let consumer =
        consume_channel.basic_consume(QUEUE.into(), "".into(), options, FieldTable::default());
    let consumer = consumer.await?;

    let started = Instant::now();
    tokio::try_join!(publish(&publish_channel), consume(consumer))?;
    let elapsed = started.elapsed();
    for connection in [publisher_connection, consumer_connection] {
        connection.close(200, "done".into()).await?;
    }
    Ok(rate(MESSAGES, elapsed))
}

/// A publisher and a consumer of one quorum queue, each on a connection of its own.
pub(super) struct BrokerConnections {
    pub(super) publisher_connection: Connection,
    pub(super) consumer_connection: Connection,
    /// In confirm mode.
    pub(super) publish_channel: Channel,
    pub(super) consume_channel: Channel,
}

impl BrokerConnections {
    /// Connects and declares the queue.
    pub(super) async fn open(vhost: &Vhost, queue: &str) -> Result<Self, Error> {
        let connect = || Connection::connect(vhost.url(), ConnectionProperties::default());
        let (publisher_connection, consumer_connection) = (connect().await?, connect().await?);
        let (publish_channel, consume_channel) = (
            publisher_connection.create_channel().await?,
            consumer_connection.create_channel().await?,
        );
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        publish_channel
            .queue_declare(queue.into(), QueueDeclareOptions::durable(), arguments)
            .await?;
        publish_channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(Self { publisher_connection, consumer_connection, publish_channel, consume_channel })
    }
}

async fn publish(channel: &Channel) -> Result<(), Error> {
    const PERSISTENT: u8 = 2;
    let (body, properties) =
        ([b'x'; MESSAGE_SIZE], BasicProperties::default().with_delivery_mode(PERSISTENT));
    let mut in_flight = VecDeque::with_capacity(IN_FLIGHT);
    for _ in 0..MESSAGES {
        if in_flight.len() == IN_FLIGHT
            && let Some(oldest) = in_flight.pop_front()
        {
            confirmed(oldest).await?;
        }
        let options = BasicPublishOptions::default();
        let sent =
            channel.basic_publish("".into(), QUEUE.into(), options, &body, properties.clone());
        in_flight.push_back(sent.await?);
    }
    for confirm in in_flight {
        confirmed(confirm).await?;
    }
    Ok(())
}

async fn confirmed(confirm: lapin::PublisherConfirm) -> Result<(), Error> {
    if confirm.await?.is_ack() { Ok(()) } else { Err(Error::Timeout("a message is confirmed")) }
}

async fn consume(mut consumer: Consumer) -> Result<(), Error> {
    let mut received = 0;
    while received < MESSAGES {
        let ended = || Error::Timeout("all messages are delivered");
        let mut last = consumer.next().await.ok_or_else(ended)??;
        received += 1;
        while let Some(Some(next)) = consumer.next().now_or_never() {
            last = next?;
            received += 1;
        }
        last.acker.ack(BasicAckOptions { multiple: true }).await?;
    }
    Ok(())
}
