//! Streams: replayable logs in the broker, for what comes in faster than a database should take it row by row.
//!
//! [`Intake`] is the one exception from the rule that events leave by the outbox: it writes to the stream directly and
//! answers when the broker has confirmed. What it promises is less: a confirmed append survives the kill of any process,
//! but not a power cut, and may stand in the stream twice; readers know duplicates by the ids inside.
//!
//! [`read`] hands what is in the stream to a handler in a transaction that also moves the offset: each append takes effect
//! once, unless the stream is lost; [`StreamHandler`] says what comes then.

pub(crate) mod place;
mod reader;

use std::{panic::AssertUnwindSafe, pin::pin, time::Duration};

use futures::FutureExt;
use lapin::{
    ErrorKind,
    message::Delivery,
    options::QueueDeclareOptions,
    protocol::{AMQPErrorKind, AMQPSoftError},
    types::{AMQPValue, FieldTable},
};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use self::reader::read;
use crate::{
    Error, Failure, Transaction,
    broker::{self, Session},
    error::{causes, within},
    relay::publisher::{Publisher, Wire},
    retry,
    topology::HANDLER_TIMEOUT,
};

/// How many appends may wait for the broker before new ones are refused.
const WAITING: usize = 1024;

/// How many appends travel in one round of confirms.
const ROUND: usize = 256;

/// How often a broker that lets a round wait is asked whether it has raised an alarm, and the service whether it is to stop.
const LOOK: Duration = Duration::from_millis(250);

/// How long an append may take in all.
const APPEND: Duration = Duration::from_secs(5);

/// How many messages the broker hands out ahead.
pub(crate) const PREFETCH: u16 = 200;

/// How long a stream keeps what is in it: the window in which it can be replayed.
const RETENTION: &str = "7D";

/// How large a stream may grow, in bytes, whatever its retention.
const MAX_BYTES: i64 = 2_000_000_000;

/// How large a segment file of a stream grows, in bytes. A broker that was killed reads the last one again before anybody can attach:
/// three seconds for 60 MB, where the default of RabbitMQ is 500 MB.
const SEGMENT_BYTES: i64 = 4_000_000;

/// Declares a stream. One that an earlier version declared stays as it is, with large segments.
pub async fn declare(amqp_url: &str, name: &str) -> Result<(), Error> {
    let client = format!("{name}: topology");
    let mut session = Session::connect(amqp_url, &client, broker::HEARTBEAT).await?;
    let declared = declare_on(&mut session, name).await;
    session.close().await;
    declared
}

async fn declare_on(session: &mut Session, name: &str) -> Result<(), Error> {
    match declare_with(session, name, Some(SEGMENT_BYTES)).await {
        Err(Error::Broker(refused)) if is_inequivalent(&refused) => {
            // Earlier versions said nothing of segments. If it differs in anything else, this is refused as well.
            declare_with(session, name, None).await?;
            tracing::warn!(
                stream = name,
                "an earlier version declared the stream, with large segments: a broker that was killed \
                 takes longer to open it, see docs/messaging.md"
            );
            Ok(())
        }
        declared => declared,
    }
}

/// On a channel of its own, for the broker closes it when it refuses.
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
    within("declaring a stream", broker::ANSWER, declared).await.map(drop)
}

/// Whether the broker said that something is there already, with other arguments.
fn is_inequivalent(error: &lapin::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ProtocolError(said)
            if matches!(said.kind(), AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED))
    )
}

/// Why an append was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAppended {
    /// Too many wait already.
    #[error("too many appends wait for the broker")]
    Full,
    /// The broker is out of reach or did not confirm in time. The append may be in the stream all the same.
    #[error("the broker did not confirm")]
    Unconfirmed,
}

/// One append on its way, and who waits for it.
#[derive(Debug)]
struct Append {
    id: Uuid,
    body: Vec<u8>,
    confirmed: oneshot::Sender<()>,
}

/// The door to a stream. Cheap to clone; all clones share one publisher.
#[derive(Debug, Clone)]
pub struct Intake {
    appends: mpsc::Sender<Append>,
}

/// The one task that publishes to the stream.
#[derive(Debug)]
pub struct IntakePublisher {
    appends: mpsc::Receiver<Append>,
    amqp_url: String,
    stream: String,
}

impl Intake {
    /// A door to the stream `stream`, and the publisher behind it, which must be run.
    pub fn new(amqp_url: impl Into<String>, stream: impl Into<String>) -> (Self, IntakePublisher) {
        let (sender, receiver) = mpsc::channel(WAITING);
        let publisher =
            IntakePublisher { appends: receiver, amqp_url: amqp_url.into(), stream: stream.into() };
        (Self { appends: sender }, publisher)
    }

    /// Appends one message, and answers when the broker has confirmed it.
    pub async fn append(&self, body: Vec<u8>) -> Result<(), NotAppended> {
        let (confirmed, answer) = oneshot::channel();
        self.appends
            .try_send(Append { id: Uuid::new_v4(), body, confirmed })
            .map_err(|_| NotAppended::Full)?;
        match tokio::time::timeout(APPEND, answer).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(NotAppended::Unconfirmed),
        }
    }
}

impl IntakePublisher {
    /// Publishes until `stop`, and then what waits already, unless the broker has raised an alarm and takes nothing. It outlives every
    /// trouble of the broker: what meets with it is sent again on a new connection for as long as somebody waits for it.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut attempt = 0;
        let mut publisher: Option<Publisher> = None;
        let mut round: Vec<Append> = Vec::new();
        loop {
            round.retain(|append| !append.confirmed.is_closed());
            if round.is_empty() {
                tokio::select! {
                    biased;
                    // What waits already is taken by the next turns, and then the end is seen.
                    () = stop.cancelled(), if !self.appends.is_closed() => self.appends.close(),
                    taken = self.appends.recv_many(&mut round, ROUND) => if taken == 0 { break },
                }
            }
            match self.publish(&mut publisher, &mut round, &stop).await {
                Ok(()) if round.is_empty() => {
                    attempt = 0;
                    continue;
                }
                Ok(()) => {
                    // The stream may be gone: a new connection declares it again.
                    publisher = None;
                    tracing::warn!(
                        left = round.len(),
                        "the broker refused appends, and gets them again"
                    );
                }
                Err(Error::Blocked) if stop.is_cancelled() => {
                    publisher = None;
                    tracing::warn!(
                        left = round.len(),
                        "appends are left, for the broker takes none"
                    );
                    break;
                }
                Err(error) => {
                    publisher = None;
                    tracing::warn!(causes = ?causes(&error), "appends failed, and are sent again");
                }
            }
            attempt += 1;
            tokio::time::sleep(retry::backoff(attempt)).await;
        }
        if let Some(publisher) = publisher {
            publisher.close().await;
        }
    }

    /// Publishes the round and takes out of it what was confirmed. A broker under alarm is waited for until `stop`.
    async fn publish(
        &self,
        publisher: &mut Option<Publisher>,
        round: &mut Vec<Append>,
        stop: &CancellationToken,
    ) -> Result<(), Error> {
        let open = if let Some(open) = publisher.take() {
            open
        } else {
            let mut fresh = Publisher::connect(&self.amqp_url, &self.stream).await?;
            declare_on(fresh.session(), &self.stream).await?;
            fresh
        };
        let open = publisher.insert(open);
        let wire = |append: &Append| Wire {
            id: append.id,
            exchange: String::new(),
            routing_key: self.stream.clone(),
            content_type: "application/json",
            body: append.body.clone(),
        };
        let wires: Vec<Wire> = round.iter().map(wire).collect();
        let status = open.status();
        let mut publishing = pin!(open.publish(&wires));
        let answers = loop {
            match tokio::time::timeout(LOOK, &mut publishing).await {
                Ok(answers) => break answers?,
                Err(_) if status.blocked() && stop.is_cancelled() => return Err(Error::Blocked),
                Err(_) => {}
            }
        };
        for append in std::mem::take(round) {
            if answers.nacked.contains(&append.id) || answers.returned.contains(&append.id) {
                round.push(append);
            } else {
                // Who does not wait any more has been told that the append is unconfirmed.
                let _ = append.confirmed.send(());
            }
        }
        Ok(())
    }
}

/// Takes what stands in a stream.
///
/// Each message takes effect once, as long as the stream is the same. If it was lost (deleted, or its volume; or a power cut took
/// away its end, which is not on disk when it is confirmed), another one of its name begins with the offset zero, and nothing tells
/// which of its messages were read before. The reader notices by the message that it read last, counts
/// `messaging_stream_gaps_total`, and hands over all that is there from its first message on: **a message may come again**. So a
/// handler knows messages by an id inside, and takes each once.
pub trait StreamHandler: Send + Sync + 'static {
    /// Does the effects of `messages`, the bodies of appends in their order. An error rolls all of it back, and the messages come
    /// again one by one; one that fails alone becomes a dead letter. If the database is out of reach, they come again later.
    fn handle(
        &self,
        tx: &mut Transaction,
        messages: &[&[u8]],
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// How long [`handle`](Self::handle) may take for what is handed to it at once: forty seconds if nothing is said, and at most. It
    /// holds for the reader and for a replay.
    ///
    /// Messages that take longer together are tried one by one, and one that takes longer alone fails, as with [`Failure::retry`]. A
    /// handler that never waits cannot be interrupted.
    fn handler_timeout(&self) -> Duration {
        HANDLER_TIMEOUT
    }
}

/// Hands messages to a handler; a panic is a failure like another, and so is what takes too long. What was done is to be rolled back then.
pub(crate) async fn handle(
    handler: &impl StreamHandler,
    tx: &mut Transaction,
    messages: &[&[u8]],
) -> Result<(), Failure> {
    let limit = handler.handler_timeout().min(HANDLER_TIMEOUT);
    let handling = AssertUnwindSafe(handler.handle(tx, messages)).catch_unwind();
    match tokio::time::timeout(limit, handling).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err(Failure::reject("panicked", "the handler panicked")),
        Err(_) => Err(Failure::late(limit)),
    }
}

/// The place of a message in its stream.
pub(crate) fn offset(delivery: &Delivery, stream: &str) -> Result<i64, Error> {
    let headers = delivery.properties.headers().as_ref();
    let offset = headers.and_then(|headers| headers.inner().get("x-stream-offset"));
    offset
        .and_then(AMQPValue::as_long_long_int)
        .ok_or_else(|| Error::Incomplete { queue: stream.to_owned(), what: "offset" })
}
