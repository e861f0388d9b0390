//! Connections to RabbitMQ, and the declaration of a topology on them.

use std::{mem, time::Duration};

use lapin::{
    Channel, Connection, ConnectionProperties, ConnectionStatus, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable, ShortString},
};

use tokio::task::JoinSet;

use crate::{
    Error, Topology,
    error::{causes, within},
    topology::{SLOT_GROUPS, dead_queue, routing_key, slots_of, unrouted},
};

/// How long any single answer of the broker may take.
pub(crate) const ANSWER: Duration = Duration::from_secs(10);

/// How often the broker may see a message come back from a process that died over it, before it puts it aside.
const DELIVERY_LIMIT: i64 = 20;

/// A delivery limit that nothing reaches.
const NO_LIMIT: i64 = 1_000_000_000;

/// How often each side says that it lives: long enough for a busy machine, short enough to notice a dead one. The broker gives a
/// silent connection up after two to three times as long.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(10);

/// The same for who consumes: while a stopped process counts as alive to the broker, no other replica gets its queues.
pub(crate) const CONSUMER_HEARTBEAT: Duration = Duration::from_secs(2);

/// A new connection, named so that people find it in the management page. It is never recovered: on any doubt it is thrown
/// away and made anew.
///
/// `amqp_urls` are the addresses of one node after another of a cluster, divided by commas; the first that answers is taken.
pub(crate) async fn connect(
    amqp_urls: &str,
    name: &str,
    heartbeat: Duration,
) -> Result<Connection, Error> {
    let urls: Vec<&str> = amqp_urls.split(',').map(str::trim).collect();
    // Together they take no longer than one may.
    let limit = ANSWER / u32::try_from(urls.len()).unwrap_or(u32::MAX);
    let mut refused = Error::Ended;
    for url in urls {
        match within("connecting to the broker", limit, dial(url, name, heartbeat)).await {
            Ok(connection) => return Ok(connection),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

async fn dial(url: &str, name: &str, heartbeat: Duration) -> Result<Connection, lapin::Error> {
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let separator = if url.contains('?') { '&' } else { '?' };
    let (heartbeat, timeout) = (heartbeat.as_secs(), ANSWER.as_millis());
    // Frames of 32 KiB: lapin holds two buffers of 32 frames for each connection, which at its default are 8 MiB.
    let url = format!(
        "{url}{separator}heartbeat={heartbeat}&connection_timeout={timeout}&frame_max=32768"
    );
    Connection::connect(&url, properties).await
}

/// A connection with what works on it, which says goodbye to the broker whatever becomes of who uses it.
///
/// lapin's own goodbye, when the last handle is dropped, is lost if channels are dropped at the same moment, as they are when a
/// future is dropped in the middle. The broker then takes the connection for alive and its consumers for the active ones, and
/// what waits in their queues goes to nobody.
pub(crate) struct Session {
    connection: Option<Connection>,
    /// What works on channels of the connection: it ends before the connection does.
    pub(crate) tasks: JoinSet<Result<(), Error>>,
    /// Channels that nobody works on: they are given up after the connection.
    held: Vec<Channel>,
}

impl Session {
    /// A new connection, with nothing working on it.
    pub(crate) async fn connect(
        amqp_urls: &str,
        name: &str,
        heartbeat: Duration,
    ) -> Result<Self, Error> {
        let connection = Some(connect(amqp_urls, name, heartbeat).await?);
        Ok(Self { connection, tasks: JoinSet::new(), held: Vec::new() })
    }

    /// How the connection is.
    pub(crate) fn status(&self) -> Result<ConnectionStatus, Error> {
        Ok(self.connection.as_ref().ok_or(Error::Ended)?.status().clone())
    }

    /// Opens a channel for a task.
    pub(crate) async fn channel(&self) -> Result<Channel, Error> {
        let connection = self.connection.as_ref().ok_or(Error::Ended)?;
        channel(connection).await
    }

    /// Opens a channel that stays open as long as the connection.
    pub(crate) async fn lasting_channel(&mut self) -> Result<&Channel, Error> {
        let channel = self.channel().await?;
        self.held.push(channel);
        self.held.last().ok_or(Error::Ended)
    }

    /// Ends what works on it, and says goodbye.
    pub(crate) async fn close(mut self) {
        if let Some(connection) = self.connection.take() {
            end(connection, mem::take(&mut self.tasks), mem::take(&mut self.held)).await;
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let connection = self.connection.take();
        // Without a runtime nothing works on it any more, and the process is about to end.
        let runtime = tokio::runtime::Handle::try_current();
        if let (Some(connection), Ok(runtime)) = (connection, runtime) {
            let (tasks, held) = (mem::take(&mut self.tasks), mem::take(&mut self.held));
            runtime.spawn(end(connection, tasks, held));
        }
    }
}

/// Ends a connection in the order that lapin can follow: who works on channels first, idle channels last.
async fn end(connection: Connection, mut tasks: JoinSet<Result<(), Error>>, held: Vec<Channel>) {
    tasks.shutdown().await;
    let goodbye = connection.close(200, "done".into());
    if let Err(error) = within("closing a connection", ANSWER, goodbye).await {
        tracing::debug!(causes = ?causes(&error), "a connection was not closed cleanly");
    }
    drop(held);
}

/// Opens a channel.
pub(crate) async fn channel(connection: &Connection) -> Result<Channel, Error> {
    within("opening a channel", ANSWER, connection.create_channel()).await
}

/// Declares what the topology names: its own exchange with the net under it, its queues, and the exchanges it listens to,
/// so that services may start in any order. Declaring again what is there changes nothing.
pub async fn declare(amqp_url: &str, topology: &Topology) -> Result<(), Error> {
    let name = format!("{}: topology", topology.service());
    let connection = connect(amqp_url, &name, HEARTBEAT).await?;
    let channel = channel(&connection).await?;
    declare_on(&channel, topology).await?;
    within("closing a connection", ANSWER, connection.close(200, "done".into())).await
}

pub(crate) async fn declare_on(channel: &Channel, topology: &Topology) -> Result<(), Error> {
    let service = topology.service();
    declare_exchange(channel, service).await?;
    declare_queue(channel, &dead_queue(service), FieldTable::default()).await?;
    for subscription in topology.subscriptions() {
        for speaker in subscription.publishers() {
            if *speaker != service {
                declare_exchange(channel, speaker).await?;
            }
        }
        for group in 0..SLOT_GROUPS {
            let queue = subscription.queue(service, group);
            declare_queue(channel, &queue, consumer_arguments(service)).await?;
            for speaker in subscription.publishers() {
                for slot in slots_of(group) {
                    let key = routing_key(subscription.aggregate(), slot.number());
                    bind(channel, &queue, speaker, &key).await?;
                }
            }
        }
    }
    Ok(())
}

/// A speaker's exchange. What no queue is bound for falls through to a queue of its own, where people find it.
async fn declare_exchange(channel: &Channel, speaker: &str) -> Result<(), Error> {
    let net = unrouted(speaker);
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    within(
        "declaring an exchange",
        ANSWER,
        channel.exchange_declare(
            net.as_str().into(),
            ExchangeKind::Fanout,
            options,
            FieldTable::default(),
        ),
    )
    .await?;
    declare_queue(channel, &net, FieldTable::default()).await?;
    bind(channel, &net, &net, "").await?;
    let mut arguments = FieldTable::default();
    arguments.insert("alternate-exchange".into(), AMQPValue::LongString(net.into()));
    within(
        "declaring an exchange",
        ANSWER,
        channel.exchange_declare(speaker.into(), ExchangeKind::Topic, options, arguments),
    )
    .await
}

/// A quorum queue.
async fn declare_queue(
    channel: &Channel,
    name: &str,
    mut arguments: FieldTable,
) -> Result<(), Error> {
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    // RabbitMQ 4 drops what was returned twenty times unless told otherwise; what has no other place to go stays.
    if !arguments.inner().contains_key("x-delivery-limit") {
        arguments.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(NO_LIMIT));
    }
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let declared = channel.queue_declare(ShortString::from(name), options, arguments);
    within("declaring a queue", ANSWER, declared).await.map(drop)
}

/// What sets a consumer's queue apart: one process at a time, and a place for what processes die over.
fn consumer_arguments(service: &str) -> FieldTable {
    let mut arguments = FieldTable::default();
    let mut text = |name: &str, value: &str| {
        arguments.insert(name.into(), AMQPValue::LongString(value.into()));
    };
    text("x-dead-letter-exchange", "");
    text("x-dead-letter-routing-key", &dead_queue(service));
    text("x-dead-letter-strategy", "at-least-once");
    // Dead-lettering at least once is only to be had with this overflow behaviour.
    text("x-overflow", "reject-publish");
    arguments.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
    arguments.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(DELIVERY_LIMIT));
    arguments
}

/// Lets what comes to an exchange by a routing key into a queue.
pub(crate) async fn bind(
    channel: &Channel,
    queue: &str,
    exchange: &str,
    key: &str,
) -> Result<(), Error> {
    let bound = channel.queue_bind(
        queue.into(),
        exchange.into(),
        key.into(),
        QueueBindOptions::default(),
        FieldTable::default(),
    );
    within("binding a queue", ANSWER, bound).await
}
