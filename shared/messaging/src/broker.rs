//! Connections to RabbitMQ.

use std::{mem, sync::Arc, time::Duration};

use lapin::{
    Channel, Connection, ConnectionProperties, ConnectionStatus, ErrorKind,
    message::Delivery,
    options::{BasicGetOptions, QueueBindOptions, QueueDeclareOptions},
    protocol::{AMQPErrorKind, AMQPSoftError},
    types::FieldTable,
    uri::AMQPUri,
};
use tokio::task::JoinSet;

use crate::error::{Error, causes, with_timeout};

/// The timeout of a single reply of the broker.
pub(crate) const REPLY_TIMEOUT: Duration = Duration::from_secs(10);

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

/// The name of the user in an address; of several addresses, separated by commas, in the first.
pub(crate) fn user_of(amqp_urls: &str) -> Option<String> {
    let AMQPUri { authority, .. } = amqp_urls.split(',').next()?.trim().parse().ok()?;
    Some(authority.userinfo.username)
}

async fn dial(url: &str, name: &str, heartbeat: Duration) -> Result<Connection, lapin::Error> {
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let separator = if url.contains('?') { '&' } else { '?' };
    let (heartbeat, timeout) = (heartbeat.as_secs(), REPLY_TIMEOUT.as_millis());
    // Frames of 32 KiB: lapin keeps two buffers of 32 frames per connection, which is 8 MiB at its default frame size.
    let url = format!(
        "{url}{separator}heartbeat={heartbeat}&connection_timeout={timeout}&frame_max=32768"
    );
    // On the heap: it would double the size of the tasks that connect.
    Box::pin(tls::amqp::connect(&url, properties)).await
}

/// A connection and the tasks that use it. It always sends `connection.close`, even when it is dropped.
///
/// lapin's own close on drop is lost if channels are dropped at the same moment, for example when a future is cancelled. The
/// broker then considers the connection alive and its consumers active, and the messages of their queues are not delivered.
pub(crate) struct Session {
    connection: Option<Arc<Connection>>,
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
        let connection = Some(Arc::new(connect(amqp_urls, name, heartbeat).await?));
        Ok(Self { connection, tasks: JoinSet::new(), held: Vec::new() })
    }

    pub(crate) fn status(&self) -> Result<ConnectionStatus, Error> {
        Ok(self.connection.as_ref().ok_or(Error::ConnectionClosed)?.status().clone())
    }

    /// Opens channels, also in the [tasks](Self::tasks) of the session.
    pub(crate) fn channels(&self) -> Result<Channels, Error> {
        self.connection.clone().map(Channels).ok_or(Error::ConnectionClosed)
    }

    /// Opens a channel for a task.
    pub(crate) async fn channel(&self) -> Result<Channel, Error> {
        self.channels()?.open().await
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
    connection: Arc<Connection>,
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

/// Opens channels of one connection.
#[derive(Clone)]
pub(crate) struct Channels(Arc<Connection>);

impl Channels {
    pub(crate) async fn open(&self) -> Result<Channel, Error> {
        with_timeout("opening a channel", REPLY_TIMEOUT, self.0.create_channel()).await
    }
}

/// Closes a channel that works.
pub(crate) async fn close_channel(channel: &Channel) -> Result<(), Error> {
    let close = channel.close(200, "done".into());
    with_timeout("closing a channel", REPLY_TIMEOUT, close).await
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

/// The ready messages and the consumers of a queue; `None` if it does not exist.
pub(crate) async fn depth(channels: &Channels, name: &str) -> Result<Option<(u32, u32)>, Error> {
    let channel = channels.open().await?;
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let found = channel.queue_declare(name.into(), options, FieldTable::default());
    match with_timeout("reading the depth of a queue", REPLY_TIMEOUT, found).await {
        Ok(queue) => {
            close_channel(&channel).await?;
            Ok(Some((queue.message_count(), queue.consumer_count())))
        }
        Err(error) if is_soft(&error, &AMQPSoftError::NOTFOUND) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Takes the first message of a queue, if there is one.
pub(crate) async fn get(channel: &Channel, queue: &str) -> Result<Option<Delivery>, Error> {
    let got = channel.basic_get(queue.into(), BasicGetOptions::default());
    let got = with_timeout("getting a message", REPLY_TIMEOUT, got).await?;
    Ok(got.map(|message| message.delivery))
}

/// Whether the broker closed a channel for this reason.
pub(crate) fn is_soft(error: &Error, reason: &AMQPSoftError) -> bool {
    let Error::Broker(error) = error else { return false };
    let ErrorKind::ProtocolError(error) = error.kind() else { return false };
    matches!(error.kind(), AMQPErrorKind::Soft(found) if found == reason)
}
