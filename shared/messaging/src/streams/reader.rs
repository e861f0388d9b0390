//! The reader of a stream: passes messages to the handler and commits the position.

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
    PREFETCH,
    declare::declare_on,
    handler::{StreamHandler, handle, offset},
    position::{self, StreamPosition, digest},
};
use crate::{
    broker::{self, Session},
    consume::{
        dead_letter::{UnreadableMessage, record_unreadable},
        deliveries::{collect_batch, start_consumer},
        shutdown::with_grace,
    },
    error::{Error, causes, with_timeout},
    failure::{Failure, FailureKind},
    provenance::Refusal,
    publish::{
        lease::{self, LEASE_TTL},
        outbox::Outbox,
        transaction::Transaction,
    },
    retry,
    signatures::Content,
};

/// The approximate number of events per batch.
const BATCH_EVENTS: usize = 512;

/// The timeout of a batch. It includes the database operations around the handler, which has a timeout of its
/// own.
const BATCH_TIMEOUT: Duration = Duration::from_mins(2);

/// The timeout of other database operations.
const QUERY_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a single failing message is tried, by all readers together, before it becomes a dead letter.
/// Later messages wait meanwhile: for the attempts and about three seconds of delays.
const MAX_ATTEMPTS: u32 = 6;

/// Reads `stream` as `consumer` until `stop`, from the committed position, in one process at a time.
///
/// If the stream was lost, the reader starts at the first message of the new one, see [`StreamHandler`].
pub async fn read(
    outbox: Outbox,
    amqp_url: String,
    stream: &'static str,
    consumer: &'static str,
    handler: Arc<impl StreamHandler>,
    stop: CancellationToken,
) {
    let lease = format!("stream:{consumer}/{stream}");
    let holder = outbox.replica().unwrap_or_else(Uuid::new_v4);
    let reader = Reader { outbox, amqp_url, stream, consumer, handler, lease, holder };
    let mut attempt = 0;
    while !stop.is_cancelled() {
        if let Err(error) = reader.session(&stop, &mut attempt).await {
            attempt += 1;
            let delay = retry::backoff(attempt);
            tracing::warn!(causes = ?causes(&error), ?delay, stream, "the reader of a stream failed; retrying");
            pause(delay, &stop).await;
        }
    }
    reader.step_down().await;
}

/// Waits for `delay` or for the stop.
async fn pause(delay: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = sleep(delay) => {}
        () = stop.cancelled() => {}
    }
}

struct Reader<H> {
    outbox: Outbox,
    amqp_url: String,
    stream: &'static str,
    consumer: &'static str,
    handler: Arc<H>,
    /// The name of the lease: one per stream and consumer, distinct from that of the relay.
    lease: String,
    holder: Uuid,
}

/// A stream with an attached consumer.
struct OpenStream {
    session: Session,
    deliveries: Consumer,
    /// The last message read, or the first one after it: it was fetched to identify the stream.
    first: Option<Delivery>,
    /// Messages before this offset are handled one by one.
    singly_before: i64,
    /// The number of restarts when it was opened: its messages belong to the stream of that time.
    restarts: i32,
}

impl OpenStream {
    async fn next(&mut self) -> Option<Result<Delivery, lapin::Error>> {
        match self.first.take() {
            Some(first) => Some(Ok(first)),
            None => self.deliveries.next().await,
        }
    }
}

impl<H: StreamHandler> Reader<H> {
    /// Reads until the lease is lost or something fails.
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
                renewed = async { self.outbox.pause(LEASE_TTL / 3).await; self.renew().await } => {
                    renewed?;
                    continue;
                }
                first = open.next() => first,
            };
            let batch = collect_batch(first, &mut open.deliveries, self.stream, BATCH_EVENTS)?;
            let processed = self.process(&batch.deliveries, &mut open, stop);
            let Some(processed) = with_grace(stop, Box::pin(processed)).await else { break };
            processed?;
            // Also after an interrupted batch: acknowledging does not remove messages from a stream.
            batch.acknowledge(self.stream).await?;
            *attempt = 0;
        }
        open.session.close().await;
        Ok(())
    }

    /// Opens the stream at the committed position. `None` if it must be opened again: another process holds
    /// the lease, or the stream was lost.
    async fn open(&self) -> Result<Option<OpenStream>, Error> {
        if !self.acquire_lease().await? {
            sleep(LEASE_TTL / 3).await;
            return Ok(None);
        }
        let position = with_timeout("reading the position in a stream", QUERY_TIMEOUT, async {
            let mut connection = self.outbox.pool().acquire().await?;
            position::ensure(&mut connection, self.consumer, self.stream).await?;
            position::lock(&mut connection, self.consumer, self.stream).await
        })
        .await?;
        let open = self.keep_lease(self.attach(&position)).await?;
        let found = open.first.as_ref();
        let found = found.map(|first| Ok::<_, Error>((offset(first, self.stream)?, digest(first))));
        if position.is_lost(found.transpose()?) {
            with_timeout("restarting a stream", QUERY_TIMEOUT, self.restart(&position)).await?;
            return Ok(None);
        }
        Ok(Some(open))
    }

    /// Attaches to the stream at the last message read, and waits for that message: it proves that the stream
    /// is the same. The broker also accepts an offset after the end of a stream, and then delivers nothing
    /// until the stream has grown that far.
    async fn attach(&self, position: &StreamPosition) -> Result<OpenStream, Error> {
        let name = format!("{}: reader", self.consumer);
        let mut session =
            Session::connect(&self.amqp_url, &name, broker::CONSUMER_HEARTBEAT).await?;
        declare_on(&session, self.stream).await?;
        let channel = session.lasting_channel().await?.clone();
        let mut arguments = FieldTable::default();
        let from = AMQPValue::LongLongInt((position.next - 1).max(0));
        arguments.insert("x-stream-offset".into(), from);
        let mut deliveries = start_consumer(&channel, self.stream, PREFETCH, arguments).await?;
        let mut first = None;
        if position.next > 0
            && let Ok(came) = timeout(broker::REPLY_TIMEOUT, deliveries.next()).await
        {
            first = Some(came.ok_or_else(|| Error::ConsumerCancelled(self.stream.to_owned()))??);
        }
        Ok(OpenStream {
            session,
            deliveries,
            first,
            singly_before: position.singly_before,
            restarts: position.restarts,
        })
    }

    /// Moves the position to the beginning of the stream that replaced `lost`.
    async fn restart(&self, lost: &StreamPosition) -> Result<(), Error> {
        let (mut tx, position) = self.begin(lost.restarts).await?;
        if position.next != lost.next {
            return Err(Error::Superseded(self.consumer));
        }
        position::restart(&mut tx, self.consumer, self.stream).await?;
        tx.commit().await?;
        tracing::error!(
            stream = self.stream,
            read = lost.next,
            "the stream was lost; reading the new one from its beginning"
        );
        metrics::counter!("messaging_stream_gaps_total", "stream" => self.stream).increment(1);
        Ok(())
    }

    /// Handles messages; effects and position commit together. A failed batch is retried message by message,
    /// and a single message that keeps failing becomes a dead letter; only an outage stops the reader.
    /// Messages that are not handled by `stop` are left.
    async fn process(
        &self,
        deliveries: &[Delivery],
        open: &mut OpenStream,
        stop: &CancellationToken,
    ) -> Result<(), Error> {
        let mut remaining = deliveries;
        while let Some(first) = remaining.first()
            && !stop.is_cancelled()
        {
            let is_single = offset(first, self.stream)? < open.singly_before;
            let (batch, rest) = remaining.split_at(if is_single { 1 } else { remaining.len() });
            let Err(failure) = self.attempt(batch, open.restarts).await? else {
                remaining = rest;
                continue;
            };
            let failures = self.count_failure(batch, open.restarts).await?;
            tracing::warn!(
                causes = ?causes(&*failure.cause),
                stream = self.stream,
                messages = batch.len(),
                failures,
                "failed to handle messages of a stream"
            );
            if batch.len() > 1 {
                open.singly_before = last_offset(batch, self.stream)? + 1;
            } else if failures >= MAX_ATTEMPTS || matches!(failure.kind, FailureKind::Reject(_)) {
                let recorded = self.record_dead_letter(first, open.restarts, &failure);
                with_timeout("recording a dead letter", QUERY_TIMEOUT, recorded).await?;
                remaining = rest;
            } else {
                pause(retry::backoff(failures), stop).await;
            }
        }
        Ok(())
    }

    async fn attempt(
        &self,
        deliveries: &[Delivery],
        restarts: i32,
    ) -> Result<Result<(), Failure>, Error> {
        with_timeout("a batch of a stream", BATCH_TIMEOUT, self.hand_over(deliveries, restarts))
            .await
    }

    /// Passes messages to the handler, in a transaction that also advances the position. The inner result is
    /// that of the handler.
    async fn hand_over(
        &self,
        deliveries: &[Delivery],
        restarts: i32,
    ) -> Result<Result<(), Failure>, Error> {
        let (mut tx, position) = self.begin(restarts).await?;
        let mut fresh: Vec<&[u8]> = Vec::with_capacity(deliveries.len());
        let mut last = None;
        for delivery in deliveries {
            let offset = offset(delivery, self.stream)?;
            if offset < position.next {
                continue;
            }
            if last.is_none() && offset > position.next && position.next > 0 {
                tracing::error!(
                    stream = self.stream,
                    expected = position.next,
                    found = offset,
                    "the stream has lost messages"
                );
                metrics::counter!("messaging_stream_gaps_total", "stream" => self.stream)
                    .increment(1);
            }
            last = Some(delivery);
            match self
                .outbox
                .signatures()
                .verify_own(Content::Append { stream: self.stream }, delivery)
            {
                Ok(()) => fresh.push(&delivery.data),
                Err(refusal) => self.record_refusal(&mut tx, delivery, refusal).await?,
            }
        }
        let Some(last) = last else { return Ok(Ok(())) };
        // A batch without a message to believe moves the position only.
        let handled = match fresh[..] {
            [] => Ok(()),
            _ => handle(&*self.handler, &mut tx, &fresh).await,
        };
        match handled {
            Ok(()) => {}
            Err(failure) if failure.kind == FailureKind::Unavailable => {
                return Err(Error::Unavailable(failure.cause));
            }
            Err(failure) => {
                tx.rollback().await;
                return Ok(Err(failure));
            }
        }
        let saved = async {
            position::advance(&mut tx, self.consumer, self.stream, last).await?;
            tx.commit().await
        };
        match saved.await {
            // The commit failed because of the events that the handler emitted or the state that it left.
            Err(error) if !error.is_outage() => Ok(Err(Failure::retry(error))),
            saved => saved.map(Ok),
        }
    }

    /// Records a message that this service has not written. It commits with the position.
    async fn record_refusal(
        &self,
        tx: &mut Transaction,
        delivery: &Delivery,
        Refusal { reason, cause }: Refusal,
    ) -> Result<(), Error> {
        let payload = delivery.data.clone();
        let message = UnreadableMessage { reason, causes: vec![cause], payload };
        record_unreadable(tx, self.consumer, (self.stream, ""), &message).await
    }

    /// Records a failure, and returns how often the first message has failed alone. It counts even if another
    /// process holds the lease now: an attempt may outlast the lease, and processes that alternate would
    /// never reach the limit.
    async fn count_failure(&self, failed: &[Delivery], restarts: i32) -> Result<u32, Error> {
        let last = last_offset(failed, self.stream)?;
        with_timeout("counting a failure", QUERY_TIMEOUT, async {
            let (mut tx, ..) = self.lock(restarts).await?;
            let is_single = failed.len() == 1;
            let failures =
                position::count_failure(&mut tx, self.consumer, self.stream, last, is_single)
                    .await?;
            tx.commit().await?;
            // `None` if another process has handled all of them; the next attempt notices.
            let failures = failures.and_then(|failures| u32::try_from(failures).ok());
            Ok::<_, Error>(failures.unwrap_or_default())
        })
        .await
    }

    /// Records a message as a dead letter and advances the position. It needs no lease, because the position
    /// is locked and checked.
    async fn record_dead_letter(
        &self,
        delivery: &Delivery,
        restarts: i32,
        failure: &Failure,
    ) -> Result<(), Error> {
        let (mut tx, position, _) = self.lock(restarts).await?;
        if offset(delivery, self.stream)? < position.next {
            return Ok(());
        }
        let reason = match failure.kind {
            FailureKind::Reject(code) => code,
            FailureKind::Retry | FailureKind::Unavailable => "failed",
        };
        let message = UnreadableMessage {
            reason,
            causes: causes(&*failure.cause),
            payload: delivery.data.clone(),
        };
        record_unreadable(&mut tx, self.consumer, (self.stream, ""), &message).await?;
        position::advance(&mut tx, self.consumer, self.stream, delivery).await?;
        tx.commit().await
    }

    /// A transaction that holds the lease and the locked position, see [`lock`](Self::lock).
    async fn begin(&self, restarts: i32) -> Result<(Transaction, StreamPosition), Error> {
        let (tx, position, is_ours) = self.lock(restarts).await?;
        if is_ours { Ok((tx, position)) } else { Err(Error::Superseded(self.consumer)) }
    }

    /// Begins a transaction that locks the position, and acquires or renews the lease if possible; returns
    /// whether the lease is ours. All transactions that lock both lock the lease first.
    ///
    /// Fails if the reader has restarted more often than `restarts`: then earlier offsets belong to a lost
    /// stream.
    async fn lock(&self, restarts: i32) -> Result<(Transaction, StreamPosition, bool), Error> {
        let mut tx = self.outbox.begin().await?;
        let epoch = lease::acquire(&mut tx, &self.lease, self.holder).await?;
        let position = position::lock(&mut tx, self.consumer, self.stream).await?;
        if position.restarts != restarts {
            return Err(Error::Superseded(self.consumer));
        }
        Ok((tx, position, epoch.is_some()))
    }

    /// Runs `work`, which must not use the lease, and renews the lease meanwhile.
    async fn keep_lease<T>(
        &self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let mut work = pin!(work);
        loop {
            match timeout(LEASE_TTL / 3, &mut work).await {
                Ok(done) => return done,
                Err(_) => self.renew().await?,
            }
        }
    }

    /// Renews the lease; fails if another process holds it.
    async fn renew(&self) -> Result<(), Error> {
        if self.acquire_lease().await? { Ok(()) } else { Err(Error::Superseded(self.consumer)) }
    }

    /// Acquires or renews the lease; returns whether it is ours.
    async fn acquire_lease(&self) -> Result<bool, Error> {
        with_timeout("acquiring the lease of a stream", QUERY_TIMEOUT, async {
            let mut connection = self.outbox.pool().acquire().await?;
            lease::acquire(&mut connection, &self.lease, self.holder).await
        })
        .await
        .map(|epoch| epoch.is_some())
    }

    /// Releases the lease, so that a successor starts at once.
    async fn step_down(&self) {
        let released = with_timeout("releasing the lease of a stream", QUERY_TIMEOUT, async {
            let mut connection = self.outbox.pool().acquire().await?;
            lease::release(&mut connection, &self.lease, self.holder).await
        });
        if let Err(error) = released.await {
            tracing::debug!(causes = ?causes(&error), "failed to release the lease of a stream; it will expire");
        }
    }
}

/// The offset of the last message; there is at least one.
fn last_offset(deliveries: &[Delivery], stream: &str) -> Result<i64, Error> {
    deliveries.last().map_or(Ok(0), |last| offset(last, stream))
}
