//! The reader of a stream: hands over what stands in it, and keeps the place up to which it has come.

use std::{pin::pin, sync::Arc, time::Duration};

use futures::StreamExt;
use lapin::{
    Consumer,
    message::Delivery,
    types::{AMQPValue, FieldTable},
};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    PREFETCH, StreamHandler, declare_on, handle, offset,
    place::{self, Place, digest},
};
use crate::{
    Error, Failure, Outbox, Transaction,
    broker::{self, Session},
    consumer::{consume, in_time, take},
    dead_letters::{Unreadable, bury_unreadable},
    error::{causes, within},
    failure::Verdict,
    lease, retry,
};

/// About how many events a batch holds.
const BATCH_EVENTS: usize = 512;

/// How long a batch of messages may take in all, the steps around the handler included, which has a limit of its own.
const DIGEST: Duration = Duration::from_mins(2);

/// How long the database may take for one step beside the batches.
const STEP: Duration = Duration::from_secs(10);

/// How often a message that fails alone is tried before it becomes a dead letter, whoever tries it. What comes behind it waits
/// meanwhile: for as long as the attempts take, and about three seconds.
const ATTEMPTS: u32 = 6;

/// Reads `stream` as `consumer` until `stop`: from where the committed offset says, by one process at a time.
///
/// Where the stream is another one than was read (it was deleted, or lost with its volume, or a power cut has taken its end away), it
/// is read from its first message on, see [`StreamHandler`].
pub async fn read(
    outbox: Outbox,
    amqp_url: String,
    stream: &'static str,
    consumer: &'static str,
    handler: Arc<impl StreamHandler>,
    stop: CancellationToken,
) {
    let lease = format!("stream:{consumer}/{stream}");
    let reader =
        Reader { outbox, amqp_url, stream, consumer, handler, lease, holder: Uuid::new_v4() };
    let mut attempt = 0;
    while !stop.is_cancelled() {
        if let Err(error) = reader.session(&stop, &mut attempt).await {
            attempt += 1;
            let pause = retry::backoff(attempt);
            tracing::warn!(causes = ?causes(&error), ?pause, stream, "the stream's reader starts again");
            rest(pause, &stop).await;
        }
    }
    reader.step_down().await;
}

/// Waits for `pause`, or for the stop if it comes first.
async fn rest(pause: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = sleep(pause) => {}
        () = stop.cancelled() => {}
    }
}

struct Reader<H> {
    outbox: Outbox,
    amqp_url: String,
    stream: &'static str,
    consumer: &'static str,
    handler: Arc<H>,
    /// The name of the lease: of this stream for this consumer, and unlike that of the relay.
    lease: String,
    holder: Uuid,
}

/// A stream that is being read.
struct Open {
    session: Session,
    deliveries: Consumer,
    /// The message that was read last, or the first behind it that is there: it came to tell which stream this is.
    first: Option<Delivery>,
    /// Messages before this offset are handled one by one.
    singly_before: i64,
    /// How often the reader had begun again when it was opened: what came out of it is of no other stream.
    restarts: i32,
}

impl Open {
    async fn next(&mut self) -> Option<Result<Delivery, lapin::Error>> {
        match self.first.take() {
            Some(first) => Some(Ok(first)),
            None => self.deliveries.next().await,
        }
    }
}

impl<H: StreamHandler> Reader<H> {
    /// Reads for as long as the lease is held and nothing fails.
    async fn session(&self, stop: &CancellationToken, attempt: &mut u32) -> Result<(), Error> {
        let open = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            open = self.open() => open?,
        };
        let Some(mut open) = open else { return Ok(()) };
        loop {
            let first = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                renewed = async { sleep(lease::TERM / 3).await; self.renew().await } => {
                    renewed?;
                    continue;
                }
                first = open.next() => first,
            };
            let taken = take(first, &mut open.deliveries, self.stream, BATCH_EVENTS)?;
            let digested = self.digest(&taken.deliveries, &mut open, stop);
            let Some(digested) = in_time(stop, Box::pin(digested)).await else { break };
            digested?;
            // Also of what was left because of the stop: a stream forgets nothing for being acknowledged.
            taken.acknowledge(self.stream).await?;
            *attempt = 0;
        }
        open.session.close().await;
        Ok(())
    }

    /// Opens the stream where it was left. `None` if it is to be tried anew: another process holds the lease, or the stream was lost
    /// and is to be read from its beginning.
    async fn open(&self) -> Result<Option<Open>, Error> {
        if !self.take_lease().await? {
            sleep(lease::TERM / 3).await;
            return Ok(None);
        }
        let place = within("reading the place in a stream", STEP, async {
            let mut connection = self.outbox.pool().acquire().await?;
            place::enrol(&mut connection, self.consumer, self.stream).await?;
            place::place(&mut connection, self.consumer, self.stream).await
        })
        .await?;
        let open = self.keep_lease(self.attach(&place)).await?;
        let found = open.first.as_ref();
        let found = found.map(|first| Ok::<_, Error>((offset(first, self.stream)?, digest(first))));
        if place.is_lost(found.transpose()?) {
            within("beginning a stream again", STEP, self.begin_again(&place)).await?;
            return Ok(None);
        }
        Ok(Some(open))
    }

    /// Attaches to the stream at the message that was read last, and waits for it: only this shows that it is still the same stream.
    /// To an offset behind the end of a stream the broker attaches as well, and says nothing until the stream has grown so far.
    async fn attach(&self, place: &Place) -> Result<Open, Error> {
        let name = format!("{}: reader", self.consumer);
        let mut session =
            Session::connect(&self.amqp_url, &name, broker::CONSUMER_HEARTBEAT).await?;
        declare_on(&mut session, self.stream).await?;
        let channel = session.lasting_channel().await?.clone();
        let mut arguments = FieldTable::default();
        let from = AMQPValue::LongLongInt((place.next - 1).max(0));
        arguments.insert("x-stream-offset".into(), from);
        let mut deliveries = consume(&channel, self.stream, PREFETCH, arguments).await?;
        let mut first = None;
        if place.next > 0
            && let Ok(came) = timeout(broker::ANSWER, deliveries.next()).await
        {
            first = Some(came.ok_or_else(|| Error::ConsumerEnded(self.stream.to_owned()))??);
        }
        Ok(Open {
            session,
            deliveries,
            first,
            singly_before: place.singly_before,
            restarts: place.restarts,
        })
    }

    /// Goes back to the beginning of a stream that is another one than was read up to `lost`.
    async fn begin_again(&self, lost: &Place) -> Result<(), Error> {
        let (mut tx, place) = self.begin(lost.restarts).await?;
        if place.next != lost.next {
            return Err(Error::Superseded(self.consumer));
        }
        place::begin_again(&mut tx, self.consumer, self.stream).await?;
        tx.commit().await?;
        tracing::error!(
            stream = self.stream,
            read = lost.next,
            "the stream was lost, and what is there now is read from its beginning"
        );
        metrics::counter!("messaging_stream_gaps_total", "stream" => self.stream).increment(1);
        Ok(())
    }

    /// Effects and offset commit together. A batch that fails is taken message by message, and one that fails alone again and again
    /// becomes a dead letter; only an outage stops the stream. What is not handled by `stop` is left.
    async fn digest(
        &self,
        deliveries: &[Delivery],
        open: &mut Open,
        stop: &CancellationToken,
    ) -> Result<(), Error> {
        let mut left = deliveries;
        while let Some(first) = left.first()
            && !stop.is_cancelled()
        {
            let singly = offset(first, self.stream)? < open.singly_before;
            let (batch, behind) = left.split_at(if singly { 1 } else { left.len() });
            let Err(failure) = self.attempt(batch, open.restarts).await? else {
                left = behind;
                continue;
            };
            let failures = self.count_failure(batch, open.restarts).await?;
            tracing::warn!(
                causes = ?causes(&*failure.cause),
                stream = self.stream,
                messages = batch.len(),
                failures,
                "messages of a stream failed"
            );
            if batch.len() > 1 {
                open.singly_before = last_offset(batch, self.stream)? + 1;
            } else if failures >= ATTEMPTS || matches!(failure.verdict, Verdict::Reject(_)) {
                let burying = self.bury(first, open.restarts, &failure);
                within("burying a message", STEP, burying).await?;
                left = behind;
            } else {
                rest(retry::backoff(failures), stop).await;
            }
        }
        Ok(())
    }

    async fn attempt(
        &self,
        deliveries: &[Delivery],
        restarts: i32,
    ) -> Result<Result<(), Failure>, Error> {
        within("a batch of a stream", DIGEST, self.hand_over(deliveries, restarts)).await
    }

    /// Hands messages to the handler, in a transaction that also moves the offset. The inner result is the handler's.
    async fn hand_over(
        &self,
        deliveries: &[Delivery],
        restarts: i32,
    ) -> Result<Result<(), Failure>, Error> {
        let (mut tx, place) = self.begin(restarts).await?;
        let mut fresh: Vec<&[u8]> = Vec::with_capacity(deliveries.len());
        let mut last = None;
        for delivery in deliveries {
            let offset = offset(delivery, self.stream)?;
            if offset < place.next {
                continue;
            }
            if last.is_none() && offset > place.next && place.next > 0 {
                tracing::error!(
                    stream = self.stream,
                    expected = place.next,
                    found = offset,
                    "the stream has lost messages"
                );
                metrics::counter!("messaging_stream_gaps_total", "stream" => self.stream)
                    .increment(1);
            }
            fresh.push(&delivery.data);
            last = Some(delivery);
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
            place::go_past(&mut tx, self.consumer, self.stream, last).await?;
            tx.commit().await
        };
        match saved.await {
            // What the handler said or left behind cannot be committed.
            Err(error) if !error.is_outage() => Ok(Err(Failure::retry(error))),
            saved => saved.map(Ok),
        }
    }

    /// Writes down that messages failed, and answers how often the first of them has failed alone. It counts whoever holds the lease
    /// by now: an attempt may outlast the lease, and two processes that take over from each other would begin to count anew for ever.
    async fn count_failure(&self, failed: &[Delivery], restarts: i32) -> Result<u32, Error> {
        let last = last_offset(failed, self.stream)?;
        within("counting a failure", STEP, async {
            let (mut tx, ..) = self.lock(restarts).await?;
            let alone = failed.len() == 1;
            let failures =
                place::count_failure(&mut tx, self.consumer, self.stream, last, alone).await?;
            tx.commit().await?;
            // None are left if another process has handled them meanwhile, which the next attempt finds out.
            let failures = failures.and_then(|failures| u32::try_from(failures).ok());
            Ok::<_, Error>(failures.unwrap_or_default())
        })
        .await
    }

    /// Writes a message that cannot be handled as a dead letter, and goes past it. That needs no lease either, as long as nobody has
    /// gone past it: the place is locked.
    async fn bury(
        &self,
        delivery: &Delivery,
        restarts: i32,
        failure: &Failure,
    ) -> Result<(), Error> {
        let (mut tx, place, _) = self.lock(restarts).await?;
        if offset(delivery, self.stream)? < place.next {
            return Ok(());
        }
        let reason = match failure.verdict {
            Verdict::Reject(code) => code,
            Verdict::Retry | Verdict::Unavailable => "failed",
        };
        let refusal =
            Unreadable { reason, causes: causes(&*failure.cause), payload: delivery.data.clone() };
        bury_unreadable(&mut tx, self.consumer, (self.stream, ""), &refusal).await?;
        place::go_past(&mut tx, self.consumer, self.stream, delivery).await?;
        tx.commit().await
    }

    /// A transaction that holds the lease and the place, as [`lock`](Self::lock) does.
    async fn begin(&self, restarts: i32) -> Result<(Transaction, Place), Error> {
        let (tx, place, is_ours) = self.lock(restarts).await?;
        if is_ours { Ok((tx, place)) } else { Err(Error::Superseded(self.consumer)) }
    }

    /// A transaction in which the place is locked, and whether the lease is ours; then it is renewed as well. Whoever locks both
    /// locks the lease first.
    ///
    /// An error if the reader has begun again more often than `restarts`: offsets that were read before are of a stream that was lost.
    async fn lock(&self, restarts: i32) -> Result<(Transaction, Place, bool), Error> {
        let mut tx = self.outbox.begin().await?;
        let epoch = lease::take(&mut tx, &self.lease, self.holder).await?;
        let place = place::place(&mut tx, self.consumer, self.stream).await?;
        if place.restarts != restarts {
            return Err(Error::Superseded(self.consumer));
        }
        Ok((tx, place, epoch.is_some()))
    }

    /// Does `work`, which must not touch the lease, and renews the lease meanwhile.
    async fn keep_lease<T>(
        &self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let mut work = pin!(work);
        loop {
            match timeout(lease::TERM / 3, &mut work).await {
                Ok(done) => return done,
                Err(_) => self.renew().await?,
            }
        }
    }

    /// Renews the lease; an error if another process has it now.
    async fn renew(&self) -> Result<(), Error> {
        if self.take_lease().await? { Ok(()) } else { Err(Error::Superseded(self.consumer)) }
    }

    /// Takes the lease, or renews it; whether it is ours.
    async fn take_lease(&self) -> Result<bool, Error> {
        within("taking the lease of a stream", STEP, async {
            let mut connection = self.outbox.pool().acquire().await?;
            lease::take(&mut connection, &self.lease, self.holder).await
        })
        .await
        .map(|epoch| epoch.is_some())
    }

    /// Lets a successor begin at once.
    async fn step_down(&self) {
        let released = within("releasing the lease of a stream", STEP, async {
            let mut connection = self.outbox.pool().acquire().await?;
            lease::release(&mut connection, &self.lease, self.holder).await
        });
        if let Err(error) = released.await {
            tracing::debug!(causes = ?causes(&error), "the lease of a stream was not released and runs out by itself");
        }
    }
}

/// The offset of the last of some messages; there is one.
fn last_offset(deliveries: &[Delivery], stream: &str) -> Result<i64, Error> {
    deliveries.last().map_or(Ok(0), |last| offset(last, stream))
}
