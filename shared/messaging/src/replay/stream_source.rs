//! Replays from a stream: its messages are read again from the first one.

use std::{collections::VecDeque, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use futures::StreamExt;
use lapin::{
    Consumer,
    message::Delivery,
    types::{AMQPValue, FieldTable},
};
use sqlx::PgConnection;
use tokio::time::Instant;

use super::{
    Mode, Projection, ReplayCounts, ReplayError, ReplayReport, ReplaySource, apply, run,
    shadow::Shadow,
};
use crate::{
    broker::{self, Session},
    consume::deliveries::{collect_batch, start_consumer},
    error::{Error, with_timeout},
    failure::Failure,
    publish::outbox::Outbox,
    signatures::{Content, Signatures},
    streams::{
        PREFETCH, StreamHandler,
        handler::{handle, offset},
        position::{self, StreamPosition, digest},
    },
};

/// The assumed difference between the clocks of the writers of a stream.
const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(1);

/// A stream and its reader.
#[derive(Debug)]
pub struct StreamSource<H> {
    pub stream: &'static str,
    /// The name under which the live reader stores its position.
    pub consumer: &'static str,
    pub handler: Arc<H>,
    /// Returns the newest time in a message, comparable to the column that tells the age of rows. Rows older
    /// than the first message are left unchanged.
    pub newest: fn(&[u8]) -> Option<DateTime<Utc>>,
    /// Rows older than this are left unchanged, for example because old rows are deleted regularly.
    pub not_before: Option<DateTime<Utc>>,
}

/// Rebuilds `projection` from a stream. Rows older than its first message cannot be rebuilt and are left
/// unchanged. If rows have no time, the stream must be complete.
pub async fn from_stream(
    outbox: &Outbox,
    amqp_url: &str,
    projection: &Projection,
    source: StreamSource<impl StreamHandler>,
    mode: Mode,
) -> Result<ReplayReport, ReplayError> {
    let name = format!("{}: replay", source.consumer);
    let mut session = Session::connect(amqp_url, &name, broker::HEARTBEAT).await?;
    let channel = session.lasting_channel().await?.clone();
    let mut arguments = FieldTable::default();
    arguments.insert("x-stream-offset".into(), AMQPValue::LongString("first".into()));
    let deliveries = start_consumer(&channel, source.stream, PREFETCH, arguments).await?;
    let since = source.not_before;
    let mut reader = StreamReader {
        projection,
        source,
        signatures: outbox.signatures().clone(),
        deliveries,
        buffered: VecDeque::new(),
        next: 0,
        live: None,
        initial_restarts: None,
        since,
        counts: ReplayCounts::default(),
    };
    let report = run(outbox, projection, &mut reader, mode).await;
    session.close().await;
    report
}

/// Reads the stream for a replay.
struct StreamReader<'a, H> {
    projection: &'a Projection,
    source: StreamSource<H>,
    signatures: Signatures,
    deliveries: Consumer,
    /// Received messages that the live reader has not handled yet.
    buffered: VecDeque<Delivery>,
    /// The offset of the next message.
    next: i64,
    /// The last known position of the live reader.
    live: Option<StreamPosition>,
    /// The number of restarts of the live reader at the beginning. If it increases, the stream was lost.
    initial_restarts: Option<i32>,
    since: Option<DateTime<Utc>>,
    counts: ReplayCounts,
}

impl<H: StreamHandler> ReplaySource for StreamReader<'_, H> {
    async fn initialize(
        &mut self,
        shadow: &Shadow,
        live: &mut PgConnection,
    ) -> Result<(), ReplayError> {
        // A reader that has never read gets a position as well, so that it can be paused.
        position::ensure(live, self.source.consumer, self.source.stream).await?;
        self.read_live_position(live).await?;
        let never_lost = self.initial_restarts == Some(0);
        if self.target() == 0 {
            // The messages of a lost stream cannot be replayed.
            return if never_lost { Ok(()) } else { Err(self.stream_lost()) };
        }
        self.receive().await?;
        let first = self
            .buffered
            .front()
            .map(|first| Ok::<_, Error>((offset(first, self.source.stream)?, &first.data)));
        if let Some((offset, body)) = first.transpose()? {
            self.next = offset;
            self.since = self.complete_since(body, offset == 0 && never_lost)?;
        }
        for table in &self.projection.tables {
            let pair = super::TablePair::read(live, table, &shadow.schema, self.since).await?;
            pair.seed(live).await?;
        }
        Ok(())
    }

    async fn catch_up(
        &mut self,
        shadow: &Shadow,
        live: &mut PgConnection,
    ) -> Result<(), ReplayError> {
        self.read_live_position(live).await?;
        self.read_to_target(shadow).await
    }

    async fn pause_live(&mut self, live: &mut PgConnection) -> Result<(), Error> {
        // The live reader locks this row first; the lock is kept.
        self.read_live_position(live).await
    }

    async fn catch_up_paused(
        &mut self,
        shadow: &Shadow,
        _live: &mut PgConnection,
        deadline: Instant,
    ) -> Result<bool, ReplayError> {
        match tokio::time::timeout_at(deadline, self.read_to_target(shadow)).await {
            Ok(read) => read.map(|()| true),
            // It was interrupted, so its state is unknown.
            Err(_) => Err(Error::Deadline {
                what: "reading a stream",
                limit: super::PAUSED_CATCH_UP_TIMEOUT,
            }
            .into()),
        }
    }

    async fn transfer_cursors(
        &mut self,
        _shadow: &Shadow,
        _live: &mut PgConnection,
    ) -> Result<(), ReplayError> {
        // The shadow is exactly at the position of the live reader.
        Ok(())
    }

    async fn lag_reason(&mut self, _shadow: &Shadow, _live: &mut PgConnection) -> ReplayError {
        ReplayError::NoPause
    }

    fn since(&self) -> Option<DateTime<Utc>> {
        self.since
    }

    fn counts(&self) -> ReplayCounts {
        self.counts
    }
}

impl<H: StreamHandler> StreamReader<'_, H> {
    /// Reads the position of the live reader.
    async fn read_live_position(&mut self, live: &mut PgConnection) -> Result<(), Error> {
        let seen = position::lock(live, self.source.consumer, self.source.stream).await?;
        self.initial_restarts.get_or_insert(seen.restarts);
        self.live = Some(seen);
        Ok(())
    }

    /// The position of the live reader.
    fn target(&self) -> i64 {
        self.live.as_ref().map_or(0, |live| live.next)
    }

    const fn stream_lost(&self) -> ReplayError {
        ReplayError::StreamLost(self.source.stream)
    }

    /// The time from which the stream is complete, given its first message. `is_complete` tells that no
    /// message was removed, as far as the reader knows. Older rows are left unchanged in any case, because
    /// they cannot be rebuilt.
    fn complete_since(
        &self,
        first: &[u8],
        is_complete: bool,
    ) -> Result<Option<DateTime<Utc>>, ReplayError> {
        let timeless = self.projection.tables.iter().find(|table| table.since.is_none());
        let newest = (self.source.newest)(first).filter(|_| timeless.is_none());
        let begins = match newest {
            Some(newest) if is_complete => newest - CLOCK_SKEW,
            // The removed messages are older than the first remaining one, except for clock differences.
            Some(newest) => newest + CLOCK_SKEW,
            None if is_complete => return Ok(self.since),
            None => {
                let name = timeless.map_or(self.source.stream, |table| table.name);
                return Err(ReplayError::Truncated(name));
            }
        };
        Ok(Some(self.since.map_or(begins, |since| since.max(begins))))
    }

    /// Handles all messages before the target.
    async fn read_to_target(&mut self, shadow: &Shadow) -> Result<(), ReplayError> {
        let Some(live) = self.live.clone() else { return Ok(()) };
        if self.initial_restarts != Some(live.restarts) {
            return Err(self.stream_lost());
        }
        let target = live.next;
        while self.next < target {
            if self.buffered.is_empty() {
                self.receive().await?;
            }
            let mut batch = Vec::new();
            while let Some(first) = self.buffered.front() {
                let offset = offset(first, self.source.stream)?;
                // A gap before the target is a loss for the live reader as well, which reports it.
                self.next = self.next.max(offset.min(target));
                if offset >= target {
                    break;
                }
                if offset == target - 1 && live.is_lost(Some((offset, digest(first)))) {
                    return Err(self.stream_lost());
                }
                self.next = offset + 1;
                batch.extend(self.buffered.pop_front());
            }
            self.apply(shadow, &batch).await?;
        }
        Ok(())
    }

    /// Waits for messages before the target. If none arrive, or the broker cancels the consumer, the stream
    /// is not the one that the live reader has read.
    async fn receive(&mut self) -> Result<(), ReplayError> {
        match self.await_messages().await {
            Err(Error::Deadline { .. } | Error::ConsumerCancelled(_)) => Err(self.stream_lost()),
            received => Ok(received?),
        }
    }

    async fn await_messages(&mut self) -> Result<(), Error> {
        let coming = async { Ok::<_, Error>(self.deliveries.next().await) };
        let first = with_timeout("a message of a stream", broker::REPLY_TIMEOUT, coming).await?;
        let batch =
            collect_batch(first, &mut self.deliveries, self.source.stream, usize::from(PREFETCH))?;
        batch.acknowledge(self.source.stream).await?;
        self.buffered.extend(batch.deliveries);
        Ok(())
    }

    async fn apply(&mut self, shadow: &Shadow, batch: &[Delivery]) -> Result<(), ReplayError> {
        self.counts.replayed += u64::try_from(batch.len()).unwrap_or_default();
        if batch.is_empty() || self.attempt(shadow, batch).await?.is_ok() {
            return Ok(());
        }
        for delivery in batch {
            self.apply_single(shadow, delivery).await?;
        }
        Ok(())
    }

    /// Tries one message until it is applied, or rejected as it was the first time.
    async fn apply_single(
        &mut self,
        shadow: &Shadow,
        delivery: &Delivery,
    ) -> Result<(), ReplayError> {
        let single = std::slice::from_ref(delivery);
        let is_rejected =
            apply::retry_until_decided(|| self.attempt(shadow, single)).await?.is_err();
        self.counts.rejected += u64::from(is_rejected);
        Ok(())
    }

    async fn attempt(
        &self,
        shadow: &Shadow,
        batch: &[Delivery],
    ) -> Result<Result<(), Failure>, ReplayError> {
        let mut tx = shadow.outbox.begin().await?;
        // The live reader records what is refused.
        let content = Content::Append { stream: self.source.stream };
        let is_own = |delivery: &&Delivery| self.signatures.verify_own(content, delivery).is_ok();
        let bodies: Vec<&[u8]> =
            batch.iter().filter(is_own).map(|delivery| &*delivery.data).collect();
        if bodies.is_empty() {
            return Ok(Ok(()));
        }
        if let Err(failure) = handle(&*self.source.handler, &mut tx, &bodies).await {
            return Ok(Err(failure));
        }
        tx.commit().await?;
        Ok(Ok(()))
    }
}
