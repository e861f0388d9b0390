//! The bare broker: one publisher and one consumer at the same time, one event's worth of bytes in each message, a quorum queue,
//! confirms in flight, acknowledgements with `multiple`. What lapin and RabbitMQ can do on this machine without a kit.

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

use super::rate;
use crate::failure::Failure;

/// How many messages.
const MESSAGES: u64 = 60_000;

/// How large each is.
const BYTES: usize = 512;

/// How many confirms are waited for at once.
const IN_FLIGHT: usize = 1_024;

/// How many messages the broker hands out before it waits for acknowledgements.
const PREFETCH: u16 = 1_024;

const QUEUE: &str = "raw";

/// Messages per second from the publisher to the acknowledgement.
pub(super) async fn messages_per_second() -> Result<f64, Failure> {
    let vhost = Vhost::create().await?;
    let Bare { publishing, consuming, publisher, taker } = Bare::open(&vhost, QUEUE).await?;
    taker.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
    let options = BasicConsumeOptions::default();
    let consumer = taker.basic_consume(QUEUE.into(), "".into(), options, FieldTable::default());
    let consumer = consumer.await?;

    let began = Instant::now();
    tokio::try_join!(publish(&publisher), take(consumer))?;
    let took = began.elapsed();
    for connection in [publishing, consuming] {
        connection.close(200, "done".into()).await?;
    }
    Ok(rate(MESSAGES, took))
}

/// A publisher and a consumer of one quorum queue, each on a connection of its own.
pub(super) struct Bare {
    pub(super) publishing: Connection,
    pub(super) consuming: Connection,
    /// In confirm mode.
    pub(super) publisher: Channel,
    pub(super) taker: Channel,
}

impl Bare {
    /// Both, with the queue declared.
    pub(super) async fn open(vhost: &Vhost, queue: &str) -> Result<Self, Failure> {
        let connect = || Connection::connect(vhost.url(), ConnectionProperties::default());
        let (publishing, consuming) = (connect().await?, connect().await?);
        let (publisher, taker) =
            (publishing.create_channel().await?, consuming.create_channel().await?);
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        publisher.queue_declare(queue.into(), QueueDeclareOptions::durable(), arguments).await?;
        publisher.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(Self { publishing, consuming, publisher, taker })
    }
}

async fn publish(channel: &Channel) -> Result<(), Failure> {
    const PERSISTENT: u8 = 2;
    let (body, properties) =
        ([b'x'; BYTES], BasicProperties::default().with_delivery_mode(PERSISTENT));
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

async fn confirmed(confirm: lapin::PublisherConfirm) -> Result<(), Failure> {
    if confirm.await?.is_ack() { Ok(()) } else { Err(Failure::Late("a message is confirmed")) }
}

async fn take(mut consumer: Consumer) -> Result<(), Failure> {
    let mut taken = 0;
    while taken < MESSAGES {
        let ended = || Failure::Late("all messages are delivered");
        let mut last = consumer.next().await.ok_or_else(ended)??;
        taken += 1;
        while let Some(Some(next)) = consumer.next().now_or_never() {
            last = next?;
            taken += 1;
        }
        last.acker.ack(BasicAckOptions { multiple: true }).await?;
    }
    Ok(())
}
