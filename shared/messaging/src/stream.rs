//! Streams: replayable logs in the broker, for what comes in faster than a database should take it row by row.
//!
//! [`Intake`] is the one exception from the rule that events leave by the outbox: it writes to the stream directly and
//! answers when the broker has confirmed. What it promises is less: a confirmed append survives the kill of any process,
//! but not a power cut, and may stand in the stream twice; readers know duplicates by the ids inside.
//!
//! [`read`] hands what is in the stream to a handler in a transaction that also moves the offset: each append takes effect
//! once.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::{FutureExt, StreamExt};
use lapin::{
    message::Delivery,
    options::QueueDeclareOptions,
    types::{AMQPValue, FieldTable},
};
use sqlx::PgConnection;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    Error, Failure, Kit, Transaction,
    broker::{self, Session},
    consumer::{consume, take},
    dead_letters::{Unreadable, bury_unreadable},
    error::{causes, within},
    failure::Verdict,
    lease,
    relay::publisher::{Publisher, Wire},
    retry,
};

/// How many appends may wait for the broker before new ones are refused.
const WAITING: usize = 1024;

/// How many appends travel in one round of confirms.
const ROUND: usize = 256;

/// How long an append may take in all.
const APPEND: Duration = Duration::from_secs(5);

/// How many messages the broker hands out ahead.
pub(crate) const PREFETCH: u16 = 200;

/// About how many events a batch holds.
const BATCH_EVENTS: usize = 512;

/// How long a batch of messages may take.
const DIGEST: Duration = Duration::from_mins(2);

/// How often a message that fails alone is tried before it becomes a dead letter. What comes behind it waits meanwhile, about three
/// seconds.
const ATTEMPTS: u32 = 6;

/// How long a stream keeps what is in it: the window in which it can be replayed.
const RETENTION: &str = "7D";

/// How large a stream may grow, in bytes, whatever its retention.
const MAX_BYTES: i64 = 2_000_000_000;

/// Declares a stream.
pub async fn declare(amqp_url: &str, name: &str) -> Result<(), Error> {
    let connection =
        broker::connect(amqp_url, &format!("{name}: topology"), broker::HEARTBEAT).await?;
    // Held until the connection is closed: lapin trips over a channel that is being dropped then.
    let channel = broker::channel(&connection).await?;
    declare_on(&channel, name).await?;
    within("closing a connection", broker::ANSWER, connection.close(200, "done".into())).await
}

async fn declare_on(channel: &lapin::Channel, name: &str) -> Result<(), Error> {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("stream".into()));
    arguments.insert("x-max-age".into(), AMQPValue::LongString(RETENTION.into()));
    arguments.insert("x-max-length-bytes".into(), AMQPValue::LongLongInt(MAX_BYTES));
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let declared = channel.queue_declare(name.into(), options, arguments);
    within("declaring a stream", broker::ANSWER, declared).await.map(drop)
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
    /// Publishes until `stop`, and then what waits already. It outlives every trouble of the broker: what meets with it is
    /// sent again on a new connection for as long as somebody waits for it.
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
            match self.publish(&mut publisher, &mut round).await {
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

    /// Publishes the round and takes out of it what was confirmed.
    async fn publish(
        &self,
        publisher: &mut Option<Publisher>,
        round: &mut Vec<Append>,
    ) -> Result<(), Error> {
        let open = if let Some(open) = publisher.take() {
            open
        } else {
            let fresh = Publisher::connect(&self.amqp_url, &self.stream).await?;
            declare_on(fresh.channel(), &self.stream).await?;
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
        let answers = open.publish(&wires).await?;
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
pub trait StreamHandler: Send + Sync + 'static {
    /// Does the effects of `messages`, the bodies of appends in their order. An error rolls all of it back, and the messages come
    /// again one by one; one that fails alone becomes a dead letter. If the database is out of reach, they come again later.
    fn handle(
        &self,
        tx: &mut Transaction,
        messages: &[&[u8]],
    ) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// Reads `stream` as `consumer` until `stop`: from where the committed offset says, by one process at a time.
pub async fn read(
    kit: Kit,
    amqp_url: String,
    stream: &'static str,
    consumer: &'static str,
    handler: Arc<impl StreamHandler>,
    stop: CancellationToken,
) {
    let reader = Reader { kit, amqp_url, stream, consumer, handler, holder: Uuid::new_v4() };
    let mut attempt = 0;
    while !stop.is_cancelled() {
        if let Err(error) = reader.session(&stop, &mut attempt).await {
            attempt += 1;
            let pause = retry::backoff(attempt);
            tracing::warn!(causes = ?causes(&error), ?pause, stream, "the stream's reader starts again");
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => {}
            }
        }
    }
    if let Ok(mut connection) = reader.kit.pool().acquire().await {
        // A lease that is not released runs out by itself.
        let _ = lease::release(&mut connection, reader.consumer, reader.holder).await;
    }
}

struct Reader<H> {
    kit: Kit,
    amqp_url: String,
    stream: &'static str,
    consumer: &'static str,
    handler: Arc<H>,
    holder: Uuid,
}

impl<H: StreamHandler> Reader<H> {
    async fn session(&self, stop: &CancellationToken, attempt: &mut u32) -> Result<(), Error> {
        let mut connection = self.kit.pool().acquire().await?;
        if lease::take(&mut connection, self.consumer, self.holder).await?.is_none() {
            drop(connection);
            tokio::select! {
                () = tokio::time::sleep(lease::TERM / 3) => {}
                () = stop.cancelled() => {}
            }
            return Ok(());
        }
        let next = next_offset(&mut connection, self.consumer, self.stream).await?;
        drop(connection);
        let name = format!("{}: reader", self.consumer);
        let mut session = Session::connect(&self.amqp_url, &name, broker::HEARTBEAT).await?;
        let channel = session.lasting_channel().await?.clone();
        declare_on(&channel, self.stream).await?;
        let mut arguments = FieldTable::default();
        arguments.insert("x-stream-offset".into(), AMQPValue::LongLongInt(next));
        let mut deliveries = consume(&channel, self.stream, PREFETCH, arguments).await?;
        loop {
            let first = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = tokio::time::sleep(lease::TERM / 3) => {
                    let mut connection = self.kit.pool().acquire().await?;
                    if lease::take(&mut connection, self.consumer, self.holder).await?.is_none() {
                        return Err(Error::Superseded(self.consumer));
                    }
                    continue;
                }
                first = deliveries.next() => first,
            };
            let taken = take(first, &mut deliveries, self.stream, BATCH_EVENTS)?;
            self.digest(&taken.deliveries).await?;
            taken.acknowledge(self.stream).await?;
            *attempt = 0;
        }
        session.close().await;
        Ok(())
    }

    /// Effects and offset commit together. A batch that fails is taken message by message, and one that fails alone again and again
    /// becomes a dead letter; only an outage stops the stream.
    async fn digest(&self, deliveries: &[Delivery]) -> Result<(), Error> {
        let Err(failure) = self.attempt(deliveries).await? else { return Ok(()) };
        tracing::warn!(causes = ?causes(&*failure.cause), stream = self.stream, "a batch of the stream failed and is split");
        for delivery in deliveries {
            let alone = || self.attempt(std::slice::from_ref(delivery));
            if let Err(failure) = retry::insist(ATTEMPTS, alone).await? {
                self.bury(delivery, &failure).await?;
            }
        }
        Ok(())
    }

    async fn attempt(&self, deliveries: &[Delivery]) -> Result<Result<(), Failure>, Error> {
        within("a batch of a stream", DIGEST, self.hand_over(deliveries)).await
    }

    /// Hands messages to the handler, in a transaction that also moves the offset. The inner result is the handler's.
    async fn hand_over(&self, deliveries: &[Delivery]) -> Result<Result<(), Failure>, Error> {
        let Some((mut tx, next)) = self.begin().await? else {
            return Err(Error::Superseded(self.consumer));
        };
        let mut fresh: Vec<&[u8]> = Vec::with_capacity(deliveries.len());
        let mut last = None;
        for delivery in deliveries {
            let offset = offset(delivery, self.stream)?;
            if offset < next {
                continue;
            }
            if last.is_none() && offset > next && next > 0 {
                tracing::error!(
                    stream = self.stream,
                    expected = next,
                    found = offset,
                    "the stream has lost messages"
                );
                metrics::counter!("messaging_stream_gaps_total", "stream" => self.stream)
                    .increment(1);
            }
            fresh.push(&delivery.data);
            last = Some(offset);
        }
        let Some(last) = last else { return Ok(Ok(())) };
        match handle(&*self.handler, &mut tx, &fresh).await {
            Ok(()) => {}
            Err(failure) if failure.verdict == Verdict::Unavailable => {
                return Err(Error::Unavailable(failure.cause));
            }
            Err(failure) => {
                tx.rollback().await;
                return Ok(Err(failure));
            }
        }
        let saved = async {
            save_offset(&mut tx, self.consumer, self.stream, last + 1).await?;
            tx.commit().await
        };
        match saved.await {
            // What the handler said or left behind cannot be committed.
            Err(error) if !error.is_outage() => Ok(Err(Failure::retry(error))),
            saved => saved.map(Ok),
        }
    }

    /// Writes a message that cannot be handled as a dead letter, and goes past it.
    async fn bury(&self, delivery: &Delivery, failure: &Failure) -> Result<(), Error> {
        let Some((mut tx, _)) = self.begin().await? else {
            return Err(Error::Superseded(self.consumer));
        };
        let reason = match failure.verdict {
            Verdict::Reject(code) => code,
            Verdict::Retry | Verdict::Unavailable => "failed",
        };
        let refusal =
            Unreadable { reason, causes: causes(&*failure.cause), payload: delivery.data.clone() };
        bury_unreadable(&mut tx, self.consumer, (self.stream, ""), &refusal).await?;
        save_offset(&mut tx, self.consumer, self.stream, offset(delivery, self.stream)? + 1)
            .await?;
        tx.commit().await
    }

    /// A transaction that holds the lease and the offset; `None` if another process has taken over.
    async fn begin(&self) -> Result<Option<(Transaction, i64)>, Error> {
        let mut tx = self.kit.begin().await?;
        if lease::take(&mut tx, self.consumer, self.holder).await?.is_none() {
            return Ok(None);
        }
        let next = next_offset(&mut tx, self.consumer, self.stream).await?;
        Ok(Some((tx, next)))
    }
}

/// Hands messages to a handler; a panic is a failure like another.
pub(crate) async fn handle(
    handler: &impl StreamHandler,
    tx: &mut Transaction,
    messages: &[&[u8]],
) -> Result<(), Failure> {
    let outcome = AssertUnwindSafe(handler.handle(tx, messages)).catch_unwind().await;
    outcome.unwrap_or_else(|_| Err(Failure::reject("panicked", "the handler panicked")))
}

/// The place of a message in its stream.
pub(crate) fn offset(delivery: &Delivery, stream: &str) -> Result<i64, Error> {
    let headers = delivery.properties.headers().as_ref();
    let offset = headers.and_then(|headers| headers.inner().get("x-stream-offset"));
    offset
        .and_then(AMQPValue::as_long_long_int)
        .ok_or_else(|| Error::Incomplete { queue: stream.to_owned(), what: "offset" })
}

/// The offset of the first message that has not taken effect; the row stays locked in a transaction.
pub(crate) async fn next_offset(
    connection: &mut PgConnection,
    consumer: &str,
    stream: &str,
) -> Result<i64, Error> {
    let next = sqlx::query_scalar!(
        r#"
        select next_offset from messaging.stream_offset
        where consumer = $1 and stream = $2
        for update
        "#,
        consumer,
        stream,
    )
    .fetch_optional(connection)
    .await?;
    Ok(next.unwrap_or(0))
}

async fn save_offset(
    connection: &mut PgConnection,
    consumer: &str,
    stream: &str,
    next: i64,
) -> Result<(), Error> {
    sqlx::query!(
        r#"
        insert into messaging.stream_offset (consumer, stream, next_offset) values ($1, $2, $3)
        on conflict (consumer, stream) do update set next_offset = excluded.next_offset
        "#,
        consumer,
        stream,
        next,
    )
    .execute(connection)
    .await?;
    Ok(())
}
