//! Looks for unread messages in a stream.

use std::time::Duration;

use futures::StreamExt as _;
use lapin::{
    Connection, ConnectionProperties,
    options::{BasicConsumeOptions, BasicQosOptions},
    types::{AMQPValue, FieldTable},
};
use tokio::time::timeout;

use crate::error::Error;

/// Timeout of the broker's answers.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Timeout of a delivery: the broker starts to deliver within milliseconds.
const DELIVERY_TIMEOUT: Duration = Duration::from_millis(500);

/// Whether a stream has a message at `offset` or later. No consumer's offset changes.
///
/// The broker also accepts an offset beyond the end of the stream, and then delivers nothing.
pub(crate) async fn has_message_at_or_after(
    amqp_url: &str,
    stream: &str,
    offset: i64,
) -> Result<bool, Error> {
    let late = |what: &str| Error::Unexpected(format!("{what} took longer than {TIMEOUT:?}"));
    let attach = async {
        let connection = Connection::connect(amqp_url, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        channel.basic_qos(1, BasicQosOptions::default()).await?;
        let mut arguments = FieldTable::default();
        arguments.insert("x-stream-offset".into(), AMQPValue::LongLongInt(offset));
        let options = BasicConsumeOptions::default();
        let messages = channel.basic_consume(stream.into(), "".into(), options, arguments).await?;
        Ok::<_, Error>((connection, messages))
    };
    let attached = timeout(TIMEOUT, attach).await;
    let (connection, mut messages) = attached.map_err(|_| late("attach to a stream"))??;
    let is_found = match timeout(DELIVERY_TIMEOUT, messages.next()).await {
        Err(_) => false,
        Ok(Some(message)) => message.map(|_| true)?,
        Ok(None) => return Err(Error::Unexpected(format!("the broker closed {stream}"))),
    };
    timeout(TIMEOUT, connection.close(200, "audit finished".into()))
        .await
        .map_err(|_| late("closing the connection"))??;
    Ok(is_found)
}
