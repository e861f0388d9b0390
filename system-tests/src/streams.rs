//! What stands in a stream behind the place up to which it was read.

use std::time::Duration;

use futures::StreamExt as _;
use lapin::{
    Connection, ConnectionProperties,
    options::{BasicConsumeOptions, BasicQosOptions},
    types::{AMQPValue, FieldTable},
};
use tokio::time::timeout;

use crate::Error;

/// How long the broker may take to connect and to attach a consumer.
const ANSWER: Duration = Duration::from_secs(10);

/// How long the broker may take to hand out what is there: it begins within milliseconds.
const SILENCE: Duration = Duration::from_millis(500);

/// Whether the stream of this name holds a message at `offset` or behind it. Nobody's place in the stream moves.
///
/// To an offset behind the end of a stream, and to an empty one, the broker attaches as well, and hands out nothing.
pub(crate) async fn reaches(amqp_url: &str, stream: &str, offset: i64) -> Result<bool, Error> {
    let late = |what: &str| Error::Unexpected(format!("{what} took longer than {ANSWER:?}"));
    let attaching = async {
        let connection = Connection::connect(amqp_url, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        channel.basic_qos(1, BasicQosOptions::default()).await?;
        let mut arguments = FieldTable::default();
        arguments.insert("x-stream-offset".into(), AMQPValue::LongLongInt(offset));
        let options = BasicConsumeOptions::default();
        let messages = channel.basic_consume(stream.into(), "".into(), options, arguments).await?;
        Ok::<_, Error>((connection, messages))
    };
    let attached = timeout(ANSWER, attaching).await;
    let (connection, mut messages) = attached.map_err(|_| late("attaching to a stream"))??;
    let found = match timeout(SILENCE, messages.next()).await {
        Err(_) => false,
        Ok(Some(message)) => message.map(|_| true)?,
        Ok(None) => return Err(Error::Unexpected(format!("{stream} was closed by the broker"))),
    };
    timeout(ANSWER, connection.close(200, "the audit is over".into()))
        .await
        .map_err(|_| late("leaving a stream"))??;
    Ok(found)
}
