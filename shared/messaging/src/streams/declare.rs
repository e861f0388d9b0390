//! Declares streams.

use lapin::{
    ErrorKind,
    options::QueueDeclareOptions,
    protocol::{AMQPErrorKind, AMQPSoftError},
    types::{AMQPValue, FieldTable},
};

use crate::{
    broker::{self, Session},
    error::{Error, with_timeout},
};

/// How long a stream keeps its messages: the window in which it can be replayed.
const RETENTION: &str = "7D";

/// The size limit of a stream in bytes, whatever its retention.
const MAX_BYTES: i64 = 2_000_000_000;

/// The size of a segment file in bytes. After a crash the broker reads the last segment again before consumers can attach: three
/// seconds for 60 MB, where the default of RabbitMQ is 500 MB.
const SEGMENT_BYTES: i64 = 4_000_000;

/// Declares a stream. A stream that an earlier version declared is left unchanged, with large segments.
pub async fn declare(amqp_url: &str, name: &str) -> Result<(), Error> {
    let client = format!("{name}: topology");
    let mut session = Session::connect(amqp_url, &client, broker::HEARTBEAT).await?;
    let declared = declare_on(&mut session, name).await;
    session.close().await;
    declared
}

pub(super) async fn declare_on(session: &mut Session, name: &str) -> Result<(), Error> {
    match declare_with(session, name, Some(SEGMENT_BYTES)).await {
        Err(Error::Broker(error)) if is_inequivalent(&error) => {
            // Earlier versions did not set the segment size. Any other difference fails again.
            declare_with(session, name, None).await?;
            tracing::warn!(
                stream = name,
                "an earlier version declared the stream, with large segments: after a crash the \
                 broker takes longer to open it, see docs/messaging/operations.md"
            );
            Ok(())
        }
        declared => declared,
    }
}

/// Uses a channel of its own, because the broker closes it on a failure.
async fn declare_with(
    session: &mut Session,
    name: &str,
    segment_bytes: Option<i64>,
) -> Result<(), Error> {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("stream".into()));
    arguments.insert("x-max-age".into(), AMQPValue::LongString(RETENTION.into()));
    arguments.insert("x-max-length-bytes".into(), AMQPValue::LongLongInt(MAX_BYTES));
    if let Some(bytes) = segment_bytes {
        arguments.insert("x-stream-max-segment-size-bytes".into(), AMQPValue::LongLongInt(bytes));
    }
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let channel = session.lasting_channel().await?;
    let declared = channel.queue_declare(name.into(), options, arguments);
    with_timeout("declaring a stream", broker::REPLY_TIMEOUT, declared).await.map(drop)
}

/// Whether the declaration failed because the stream exists with other arguments.
fn is_inequivalent(error: &lapin::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ProtocolError(protocol_error)
            if matches!(protocol_error.kind(), AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED))
    )
}
