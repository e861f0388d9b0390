//! Consumes a copy of all events for the operations page.
//!
//! The feed has a queue of its own: exclusive, bounded, and deleted with its connection. Events are sent to the pages in one
//! batch per [`BATCH_INTERVAL`], so a browser receives at most ten batches a second at any event rate.

use std::{convert::Infallible, time::Duration};

use futures::StreamExt as _;
use lapin::{
    Channel, Connection, ExchangeKind,
    message::Delivery,
    options::{
        BasicAckOptions, BasicConsumeOptions, BasicQosOptions, ExchangeDeclareOptions,
        QueueBindOptions, QueueDeclareOptions,
    },
    types::{AMQPValue, FieldTable, ShortString},
};
use rand::Rng as _;
use runtime::config::Secret;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::{
    broker::{BrokerError, connect, is_not_found, with_timeout},
    config::SERVICES,
    event_batch::{EventBatch, EventBatches},
    status::BrokerStatus,
    viewers::Viewers,
};

const BATCH_INTERVAL: Duration = Duration::from_millis(100);
/// How many messages the queue holds before the broker drops the oldest.
const QUEUE_LENGTH: i32 = 10_000;
/// The bound on deliveries in memory: lapin itself has none.
const PREFETCH: u16 = 512;
/// How many deliveries one acknowledgement covers.
const ACK_BATCH_SIZE: u16 = 128;
/// How often missing bindings are added: a service may create its exchange later, or again.
const BIND_INTERVAL: Duration = Duration::from_secs(2);
/// The delay before the first reconnect; it doubles with every failure.
const MIN_RECONNECT_DELAY: Duration = Duration::from_millis(250);
const MAX_RECONNECT_DELAY: Duration = Duration::from_secs(15);

/// Consumes while at least one page is open, and reconnects after errors, until `stopping` is cancelled.
pub(crate) async fn run(
    amqp_url: Secret,
    viewers: Viewers,
    batches: EventBatches,
    stopping: CancellationToken,
) -> Result<(), Infallible> {
    let feeding = async {
        let mut delay = MIN_RECONNECT_DELAY;
        loop {
            viewers.wait_for_one().await;
            let started = Instant::now();
            match consume(&amqp_url, &viewers, &batches).await {
                Ok(()) => viewers.set_broker(BrokerStatus::default()),
                Err(error) => {
                    let cause = problem::chain(&error);
                    tracing::warn!(error = cause, "event feed lost its broker connection");
                    let reason = Some(error.to_string());
                    viewers.set_broker(BrokerStatus { reason, ..BrokerStatus::default() });
                    if started.elapsed() > MAX_RECONNECT_DELAY {
                        delay = MIN_RECONNECT_DELAY;
                    }
                    let jitter = rand::rng().random_range(0.75..1.25);
                    tokio::time::sleep(delay.mul_f64(jitter)).await;
                    delay = (delay * 2).min(MAX_RECONNECT_DELAY);
                }
            }
        }
    };
    stopping.run_until_cancelled(feeding).await;
    Ok(())
}

/// Consumes over one connection. Returns `Ok` when the last page has closed.
async fn consume(
    amqp_url: &Secret,
    viewers: &Viewers,
    batches: &EventBatches,
) -> Result<(), BrokerError> {
    let connection = connect(amqp_url, "console: event feed").await?;
    let channel = with_timeout("opening a channel", connection.create_channel()).await?;
    let qos = channel.basic_qos(PREFETCH, BasicQosOptions::default());
    with_timeout("setting the prefetch", qos).await?;
    let queue = declare_queue(&channel).await?;
    let consuming = channel.basic_consume(
        queue.clone(),
        "".into(),
        BasicConsumeOptions { exclusive: true, ..BasicConsumeOptions::default() },
        FieldTable::default(),
    );
    let mut deliveries = with_timeout("starting a consumer", consuming).await?;

    let mut bind_ticks = tokio::time::interval(BIND_INTERVAL);
    bind_ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut batch = EventBatch::default();
    let mut batch_due = Instant::now();
    let mut unacknowledged = Unacknowledged::default();
    loop {
        tokio::select! {
            delivery = deliveries.next() => {
                let delivery = delivery.ok_or(BrokerError::ConsumerCancelled)??;
                if batch.is_empty() {
                    batch_due = Instant::now() + BATCH_INTERVAL;
                }
                batch.add(delivery.exchange.as_str(), delivery.routing_key.as_str(), &delivery.data);
                unacknowledged.add(delivery);
                if unacknowledged.count >= ACK_BATCH_SIZE {
                    unacknowledged.acknowledge().await?;
                }
            }
            () = tokio::time::sleep_until(batch_due), if !batch.is_empty() => {
                unacknowledged.acknowledge().await?;
                batches.send(&std::mem::take(&mut batch));
            }
            _ = bind_ticks.tick() => {
                if viewers.is_empty() {
                    return Ok(());
                }
                let exchanges = bind(&connection, &channel, &queue).await?;
                viewers.set_broker(BrokerStatus { connected: true, exchanges, reason: None });
            }
        }
    }
}

/// The deliveries since the last acknowledgement. Acknowledging the last one covers all of them.
#[derive(Default)]
struct Unacknowledged {
    count: u16,
    last: Option<Delivery>,
}

impl Unacknowledged {
    fn add(&mut self, delivery: Delivery) {
        self.count += 1;
        self.last = Some(delivery);
    }

    async fn acknowledge(&mut self) -> Result<(), BrokerError> {
        self.count = 0;
        let Some(last) = self.last.take() else { return Ok(()) };
        let acknowledged = last.ack(BasicAckOptions { multiple: true });
        with_timeout("acknowledging", acknowledged).await.map(drop)
    }
}

/// Declares an exclusive queue that drops its oldest messages when this consumer is too slow.
async fn declare_queue(channel: &Channel) -> Result<ShortString, BrokerError> {
    let mut arguments = FieldTable::default();
    // Explicit, because a vhost may default to another type, and only classic queues can be exclusive.
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("classic".into()));
    arguments.insert("x-max-length".into(), AMQPValue::LongInt(QUEUE_LENGTH));
    arguments.insert("x-overflow".into(), AMQPValue::LongString("drop-head".into()));
    let options = QueueDeclareOptions {
        exclusive: true,
        auto_delete: true,
        ..QueueDeclareOptions::default()
    };
    let declared = channel.queue_declare("".into(), options, arguments);
    Ok(with_timeout("declaring a queue", declared).await?.name().clone())
}

/// Binds the queue to the exchange of every service and returns the exchanges that exist. Binding is idempotent.
async fn bind(
    connection: &Connection,
    channel: &Channel,
    queue: &ShortString,
) -> Result<Vec<&'static str>, BrokerError> {
    let mut bound = Vec::new();
    let mut probe = with_timeout("opening a channel", connection.create_channel()).await?;
    for exchange in SERVICES {
        if !exists(&probe, exchange).await? {
            // The broker has closed the channel.
            probe = with_timeout("opening a channel", connection.create_channel()).await?;
            continue;
        }
        let binding = channel.queue_bind(
            queue.clone(),
            exchange.into(),
            "#".into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        );
        with_timeout("binding a queue", binding).await?;
        bound.push(exchange);
    }
    with_timeout("closing a channel", probe.close(200, "done".into())).await?;
    Ok(bound)
}

async fn exists(probe: &Channel, exchange: &'static str) -> Result<bool, BrokerError> {
    let options = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
    let declared = probe.exchange_declare(
        exchange.into(),
        ExchangeKind::Topic,
        options,
        FieldTable::default(),
    );
    match with_timeout("looking for an exchange", declared).await {
        Ok(()) => Ok(true),
        Err(BrokerError::Failed(error)) if is_not_found(&error) => Ok(false),
        Err(error) => Err(error),
    }
}
