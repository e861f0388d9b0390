//! Looks for unread messages in a stream.

use std::time::Duration;

use futures::StreamExt as _;
use lapin::{
    Connection, ConnectionProperties, Consumer,
    options::{BasicConsumeOptions, BasicQosOptions},
    types::{AMQPValue, FieldTable},
};
use tokio::time::timeout;

use crate::error::Error;

/// The queue type of a stream.
pub(crate) const STREAM: &str = "stream";

/// Timeout of the broker's answers.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Timeout of a delivery: the broker starts to deliver within milliseconds.
const DELIVERY_TIMEOUT: Duration = Duration::from_millis(500);

/// Whether a stream has a message at `offset` or later. No consumer's offset changes.
///
/// The broker also accepts an offset beyond the end of the stream, and then delivers nothing. Of several URLs, separated by
/// commas, the first that answers is used.
pub(crate) async fn has_message_at_or_after(
    amqp_urls: &str,
    stream: &str,
    offset: i64,
) -> Result<bool, Error> {
    let connection = connect(amqp_urls).await?;
    let attached = timeout(TIMEOUT, attach(&connection, stream, offset)).await;
    let mut messages = attached.map_err(|_| late("attaching to a stream"))??;
    let is_found = match timeout(DELIVERY_TIMEOUT, messages.next()).await {
        Err(_) => false,
        Ok(Some(message)) => message.map(|_| true)?,
        Ok(None) => return Err(Error::Unexpected(format!("the broker closed {stream}"))),
    };
    timeout(TIMEOUT, connection.close(200, "audit finished".into()))
        .await
        .map_err(|_| late("closing the connection to the broker"))??;
    Ok(is_found)
}

async fn connect(amqp_urls: &str) -> Result<Connection, Error> {
    let mut last_error = late("connecting to the broker");
    for url in amqp_urls.split(',') {
        let properties = ConnectionProperties::default().with_connection_name("audit".into());
        match timeout(TIMEOUT, tls::amqp::connect(url.trim(), properties)).await {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(error)) => last_error = error.into(),
            Err(_) => {}
        }
    }
    Err(last_error)
}

async fn attach(connection: &Connection, stream: &str, offset: i64) -> Result<Consumer, Error> {
    let channel = connection.create_channel().await?;
    channel.basic_qos(1, BasicQosOptions::default()).await?;
    let mut arguments = FieldTable::default();
    arguments.insert("x-stream-offset".into(), AMQPValue::LongLongInt(offset));
    let options = BasicConsumeOptions::default();
    Ok(channel.basic_consume(stream.into(), "".into(), options, arguments).await?)
}

fn late(operation: &'static str) -> Error {
    Error::TimedOut { operation, timeout: TIMEOUT }
}
