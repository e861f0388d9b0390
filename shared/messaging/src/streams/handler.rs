//! Handlers of stream messages.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures::FutureExt;
use lapin::{message::Delivery, types::AMQPValue};

use crate::{
    consume::subscription::MAX_HANDLER_TIMEOUT, error::Error, failure::Failure,
    publish::transaction::Transaction,
};

/// Handles the messages of a stream.
///
/// Each message takes effect once, as long as the stream exists. A stream can be lost: it is deleted, or its
/// volume is lost, or a power failure removes confirmed messages that were not on disk. Its successor starts
/// at offset zero again, and nothing tells which of its messages were read before. The reader detects that by
/// the last message it read, counts `messaging_stream_gaps_total`, and reads the new stream from its first
/// message: **a message may be handled again**. So a handler must recognise duplicates by an id inside the
/// message.
pub trait StreamHandler: Send + Sync + 'static {
    /// Applies `messages`: the bodies of appends in order. After an error everything is rolled back and the
    /// messages are retried one by one. A single message that keeps failing becomes a dead letter. If the
    /// database is unreachable, the messages are retried later.
    fn handle(
        &self,
        tx: &mut Transaction,
        messages: &[&[u8]],
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// The timeout of [`handle`](Self::handle): forty seconds by default and at most, for the reader and for
    /// replays.
    ///
    /// If a batch exceeds it, its messages are handled one by one. A single message that exceeds it fails, as
    /// with [`Failure::retry`]. A handler that blocks its thread cannot be interrupted.
    fn handler_timeout(&self) -> Duration {
        MAX_HANDLER_TIMEOUT
    }
}

/// Calls a handler. A panic or a timeout counts as a failure and requires a rollback.
pub(crate) async fn handle(
    handler: &impl StreamHandler,
    tx: &mut Transaction,
    messages: &[&[u8]],
) -> Result<(), Failure> {
    let limit = handler.handler_timeout().min(MAX_HANDLER_TIMEOUT);
    let handling = AssertUnwindSafe(handler.handle(tx, messages)).catch_unwind();
    match tokio::time::timeout(limit, handling).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err(Failure::reject("panicked", "the handler panicked")),
        Err(_) => Err(Failure::timed_out(limit)),
    }
}

/// The offset of a message in its stream.
pub(crate) fn offset(delivery: &Delivery, stream: &str) -> Result<i64, Error> {
    let headers = delivery.properties.headers().as_ref();
    let offset = headers.and_then(|headers| headers.inner().get("x-stream-offset"));
    offset
        .and_then(AMQPValue::as_long_long_int)
        .ok_or_else(|| Error::Incomplete { queue: stream.to_owned(), what: "offset" })
}
