//! Connections to RabbitMQ, and declarations of exchanges, queues and bindings.

use std::{mem, time::Duration};

use lapin::{
    Channel, Connection, ConnectionProperties, ConnectionStatus, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable, ShortString},
};
use tokio::task::JoinSet;

use crate::{
    error::{Error, causes, with_timeout},
    naming::unrouted,
};

/// The timeout of a single reply of the broker.
pub(crate) const REPLY_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a message may be redelivered after the death of its consumer before the broker dead-letters it.
const DELIVERY_LIMIT: i64 = 20;

/// A delivery limit that no message reaches.
const NO_LIMIT: i64 = 1_000_000_000;

/// The heartbeat interval: long enough for a busy machine, short enough to notice a dead one. The broker closes a silent
/// connection after two to three intervals.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(10);

/// The heartbeat of consumers. While the broker considers a stopped process alive, no other replica gets its queues.
pub(crate) const CONSUMER_HEARTBEAT: Duration = Duration::from_secs(2);

/// Opens a connection with a name for the management UI. Connections are never recovered: on any doubt they are replaced.
///
/// `amqp_urls` lists the nodes of a cluster, separated by commas; the first that answers is used.
pub(crate) async fn connect(
    amqp_urls: &str,
    name: &str,
    heartbeat: Duration,
) -> Result<Connection, Error> {
    let urls: Vec<&str> = amqp_urls.split(',').map(str::trim).collect();
    // All attempts together take no longer than one may.
    let limit = REPLY_TIMEOUT / u32::try_from(urls.len()).unwrap_or(u32::MAX);
    let mut last_error = Error::ConnectionClosed;
    for url in urls {
        match with_timeout("connecting to the broker", limit, dial(url, name, heartbeat)).await {
            Ok(connection) => return Ok(connection),
            Err(error) => last_error = error,
        }
    }
    Err(last_error)
}

async fn dial(url: &str, name: &str, heartbeat: Duration) -> Result<Connection, lapin::Error> {
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let separator = if url.contains('?') { '&' } else { '?' };
    let (heartbeat, timeout) = (heartbeat.as_secs(), REPLY_TIMEOUT.as_millis());
    // Frames of 32 KiB: lapin keeps two buffers of 32 frames per connection, which is 8 MiB at its default frame size.
    let url = format!(
        "{url}{separator}heartbeat={heartbeat}&connection_timeout={timeout}&frame_max=32768"
    );
    Connection::connect(&url, properties).await
}

/// A connection and the tasks that use it. It always sends `connection.close`, even when it is dropped.
///
/// lapin's own close on drop is lost if channels are dropped at the same moment, for example when a future is cancelled. The
/// broker then considers the connection alive and its consumers active, and the messages of their queues are not delivered.
pub(crate) struct Session {
    connection: Option<Connection>,
    /// Tasks that use channels of the connection. They end before the connection does.
    pub(crate) tasks: JoinSet<Result<(), Error>>,
    /// Channels without a task. They are dropped after the connection is closed.
    held: Vec<Channel>,
}

impl Session {
    /// Opens a new connection without any tasks.
    pub(crate) async fn connect(
        amqp_urls: &str,
        name: &str,
        heartbeat: Duration,
    ) -> Result<Self, Error> {
        let connection = Some(connect(amqp_urls, name, heartbeat).await?);
        Ok(Self { connection, tasks: JoinSet::new(), held: Vec::new() })
    }

    pub(crate) fn status(&self) -> Result<ConnectionStatus, Error> {
        Ok(self.connection.as_ref().ok_or(Error::ConnectionClosed)?.status().clone())
    }

    /// Opens a channel for a task.
    pub(crate) async fn channel(&self) -> Result<Channel, Error> {
        let connection = self.connection.as_ref().ok_or(Error::ConnectionClosed)?;
        channel(connection).await
    }

    /// Opens a channel that lives as long as the connection.
    pub(crate) async fn lasting_channel(&mut self) -> Result<&Channel, Error> {
        let channel = self.channel().await?;
        self.held.push(channel);
        self.held.last().ok_or(Error::ConnectionClosed)
    }

    /// Stops the tasks and closes the connection.
    pub(crate) async fn close(mut self) {
        if let Some(connection) = self.connection.take() {
            shut_down(connection, mem::take(&mut self.tasks), mem::take(&mut self.held)).await;
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let connection = self.connection.take();
        // Without a runtime no task uses the connection any more, and the process is about to exit.
        let runtime = tokio::runtime::Handle::try_current();
        if let (Some(connection), Ok(runtime)) = (connection, runtime) {
            let (tasks, held) = (mem::take(&mut self.tasks), mem::take(&mut self.held));
            runtime.spawn(shut_down(connection, tasks, held));
        }
    }
}

/// Closes a connection in the order that lapin supports: tasks with channels first, idle channels last.
async fn shut_down(
    connection: Connection,
    mut tasks: JoinSet<Result<(), Error>>,
    held: Vec<Channel>,
) {
    tasks.shutdown().await;
    let close = connection.close(200, "done".into());
    if let Err(error) = with_timeout("closing a connection", REPLY_TIMEOUT, close).await {
        tracing::debug!(causes = ?causes(&error), "failed to close a connection cleanly");
    }
    drop(held);
}

pub(crate) async fn channel(connection: &Connection) -> Result<Channel, Error> {
    with_timeout("opening a channel", REPLY_TIMEOUT, connection.create_channel()).await
}

/// One step of the declaration of a topology.
#[derive(Debug, Clone)]
pub(crate) enum Declaration {
    /// The exchange of a service, with its alternate exchange and the queue of that.
    Exchange(&'static str),
    /// A queue without a consumer limit.
    Queue(String),
    /// A queue for events: one active consumer, and a dead-letter queue for messages that are redelivered too often.
    ConsumerQueue {
        name: String,
        dead_queue: String,
    },
    Binding {
        queue: String,
        exchange: &'static str,
        routing_key: String,
    },
}

/// Declares everything in order. Repeating a declaration changes nothing.
pub(crate) async fn declare_all(
    channel: &Channel,
    declarations: &[Declaration],
) -> Result<(), Error> {
    for declaration in declarations {
        match declaration {
            Declaration::Exchange(service) => declare_exchange(channel, service).await?,
            Declaration::Queue(name) => {
                declare_queue(channel, name, FieldTable::default()).await?;
            }
            Declaration::ConsumerQueue { name, dead_queue } => {
                declare_queue(channel, name, consumer_arguments(dead_queue)).await?;
            }
            Declaration::Binding { queue, exchange, routing_key } => {
                bind(channel, queue, exchange, routing_key).await?;
            }
        }
    }
    Ok(())
}

/// Declares a publisher's exchange. Its alternate exchange feeds a queue that collects unroutable events for operators.
async fn declare_exchange(channel: &Channel, publisher: &str) -> Result<(), Error> {
    let alternate = unrouted(publisher);
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    with_timeout(
        "declaring an exchange",
        REPLY_TIMEOUT,
        channel.exchange_declare(
            alternate.as_str().into(),
            ExchangeKind::Fanout,
            options,
            FieldTable::default(),
        ),
    )
    .await?;
    declare_queue(channel, &alternate, FieldTable::default()).await?;
    bind(channel, &alternate, &alternate, "").await?;
    let mut arguments = FieldTable::default();
    arguments.insert("alternate-exchange".into(), AMQPValue::LongString(alternate.into()));
    with_timeout(
        "declaring an exchange",
        REPLY_TIMEOUT,
        channel.exchange_declare(publisher.into(), ExchangeKind::Topic, options, arguments),
    )
    .await
}

/// Declares a quorum queue.
async fn declare_queue(
    channel: &Channel,
    name: &str,
    mut arguments: FieldTable,
) -> Result<(), Error> {
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    // RabbitMQ 4 drops messages that were returned twenty times unless a limit is set. Without a dead-letter target they must stay.
    if !arguments.inner().contains_key("x-delivery-limit") {
        arguments.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(NO_LIMIT));
    }
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let declared = channel.queue_declare(ShortString::from(name), options, arguments);
    with_timeout("declaring a queue", REPLY_TIMEOUT, declared).await.map(drop)
}

/// The arguments of a consumer queue: a single active consumer, and a dead-letter queue.
fn consumer_arguments(dead_queue: &str) -> FieldTable {
    let mut arguments = FieldTable::default();
    let mut text = |name: &str, value: &str| {
        arguments.insert(name.into(), AMQPValue::LongString(value.into()));
    };
    text("x-dead-letter-exchange", "");
    text("x-dead-letter-routing-key", dead_queue);
    text("x-dead-letter-strategy", "at-least-once");
    // At-least-once dead-lettering requires this overflow behaviour.
    text("x-overflow", "reject-publish");
    arguments.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
    arguments.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(DELIVERY_LIMIT));
    arguments
}

/// Binds a queue to an exchange.
pub(crate) async fn bind(
    channel: &Channel,
    queue: &str,
    exchange: &str,
    routing_key: &str,
) -> Result<(), Error> {
    let bound = channel.queue_bind(
        queue.into(),
        exchange.into(),
        routing_key.into(),
        QueueBindOptions::default(),
        FieldTable::default(),
    );
    with_timeout("binding a queue", REPLY_TIMEOUT, bound).await
}
