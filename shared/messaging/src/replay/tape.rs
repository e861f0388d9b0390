//! A replay from a stream: what stands in it is read once more, from its first message on.

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

use super::{Mode, Projection, ReplayError, Report, Source, Tally, effects, run, shadow::Shadow};
use crate::{
    Error, Failure, Outbox,
    broker::{self, Session},
    consumer::{consume, take},
    error::within,
    stream::{
        PREFETCH, StreamHandler, handle, offset,
        place::{Place, digest, enrol, place},
    },
};

/// By how much the clocks of those who write to a stream may differ.
const CLOCKS: TimeDelta = TimeDelta::minutes(1);

/// A stream, and who reads it.
#[derive(Debug)]
pub struct Tape<H> {
    /// The stream.
    pub stream: &'static str,
    /// The name under which the live reader keeps its offset.
    pub consumer: &'static str,
    /// What handles its messages.
    pub handler: Arc<H>,
    /// The newest time in a message, as the column says it that tells rows by their age. That of the first message divides the rows:
    /// older ones are left alone.
    pub newest: fn(&[u8]) -> Option<DateTime<Utc>>,
    /// Rows that are older are left alone, for instance because rows of that age are deleted.
    pub not_before: Option<DateTime<Utc>>,
}

/// Builds `projection` again from a stream. Rows that are older than its first message cannot be told again and are left alone; where
/// rows have no time, the stream must hold all there ever was.
pub async fn from_stream(
    outbox: &Outbox,
    amqp_url: &str,
    projection: &Projection,
    tape: Tape<impl StreamHandler>,
    mode: Mode,
) -> Result<Report, ReplayError> {
    let name = format!("{}: replay", tape.consumer);
    let mut session = Session::connect(amqp_url, &name, broker::HEARTBEAT).await?;
    let channel = session.lasting_channel().await?.clone();
    let mut arguments = FieldTable::default();
    arguments.insert("x-stream-offset".into(), AMQPValue::LongString("first".into()));
    let deliveries = consume(&channel, tape.stream, PREFETCH, arguments).await?;
    let since = tape.not_before;
    let mut reel = Reel {
        projection,
        tape,
        deliveries,
        held: VecDeque::new(),
        next: 0,
        live: None,
        begun_with: None,
        since,
        tally: Tally::default(),
    };
    let report = run(outbox, projection, &mut reel, mode).await;
    session.close().await;
    report
}

/// A tape that is being read.
struct Reel<'a, H> {
    projection: &'a Projection,
    tape: Tape<H>,
    deliveries: Consumer,
    /// Messages that have come, but that the live reader has not handled.
    held: VecDeque<Delivery>,
    /// The offset of the next message.
    next: i64,
    /// Up to where the live reader has come, as was seen last.
    live: Option<Place>,
    /// How often the live reader had begun again when the replay began: if it does once more, the tape is of a lost stream.
    begun_with: Option<i32>,
    since: Option<DateTime<Utc>>,
    tally: Tally,
}

impl<H: StreamHandler> Source for Reel<'_, H> {
    async fn fill(&mut self, shadow: &Shadow, live: &mut PgConnection) -> Result<(), ReplayError> {
        // A reader that has never read has a place all the same, so that it can be held back.
        enrol(live, self.tape.consumer, self.tape.stream).await?;
        self.look(live).await?;
        let never_lost = self.begun_with == Some(0);
        if self.target() == 0 {
            // What was read of a lost stream is on no tape.
            return if never_lost { Ok(()) } else { Err(self.lost()) };
        }
        self.receive().await?;
        let first = self
            .held
            .front()
            .map(|first| Ok::<_, Error>((offset(first, self.tape.stream)?, &first.data)));
        if let Some((offset, body)) = first.transpose()? {
            self.next = offset;
            self.since = self.begins(body, offset == 0 && never_lost)?;
        }
        for table in &self.projection.tables {
            let pair = super::Pair::read(live, table, &shadow.schema, self.since).await?;
            pair.seed(live).await?;
        }
        Ok(())
    }

    async fn follow(
        &mut self,
        shadow: &Shadow,
        live: &mut PgConnection,
    ) -> Result<(), ReplayError> {
        self.look(live).await?;
        self.read_on(shadow).await
    }

    async fn hold_back(&mut self, live: &mut PgConnection) -> Result<(), Error> {
        // The live reader takes this row first; it stays locked.
        self.look(live).await
    }

    async fn level(
        &mut self,
        shadow: &Shadow,
        _live: &mut PgConnection,
        deadline: Instant,
    ) -> Result<bool, ReplayError> {
        match tokio::time::timeout_at(deadline, self.read_on(shadow)).await {
            Ok(read) => read.map(|()| true),
            // It was in the middle of something: what came of it is not known.
            Err(_) => {
                Err(Error::Deadline { what: "reading on in a stream", limit: super::LEVEL }.into())
            }
        }
    }

    async fn hand_over(
        &mut self,
        _shadow: &Shadow,
        _live: &mut PgConnection,
    ) -> Result<(), ReplayError> {
        // The shadow stands exactly where the live reader does.
        Ok(())
    }

    async fn why_behind(&mut self, _shadow: &Shadow, _live: &mut PgConnection) -> ReplayError {
        ReplayError::NoPause
    }

    fn since(&self) -> Option<DateTime<Utc>> {
        self.since
    }

    fn tally(&self) -> Tally {
        self.tally
    }
}

impl<H: StreamHandler> Reel<'_, H> {
    /// Sees up to where the live reader has come.
    async fn look(&mut self, live: &mut PgConnection) -> Result<(), Error> {
        let seen = place(live, self.tape.consumer, self.tape.stream).await?;
        self.begun_with.get_or_insert(seen.restarts);
        self.live = Some(seen);
        Ok(())
    }

    /// The offset up to which the live reader has come.
    fn target(&self) -> i64 {
        self.live.as_ref().map_or(0, |live| live.next)
    }

    const fn lost(&self) -> ReplayError {
        ReplayError::StreamLost(self.tape.stream)
    }

    /// From when on the tape has everything, given its first message, and whether it was `whole`: as the reader knows it, nothing was
    /// before. Older rows are left alone in any case, for they cannot be told again.
    fn begins(&self, first: &[u8], whole: bool) -> Result<Option<DateTime<Utc>>, ReplayError> {
        let timeless = self.projection.tables.iter().find(|table| table.since.is_none());
        let newest = (self.tape.newest)(first).filter(|_| timeless.is_none());
        let begins = match newest {
            Some(newest) if whole => newest - CLOCKS,
            // What the stream has forgotten is older than its first message, but for the clocks of those who wrote it.
            Some(newest) => newest + CLOCKS,
            None if whole => return Ok(self.since),
            None => {
                let place = timeless.map_or(self.tape.stream, |table| table.name);
                return Err(ReplayError::Truncated(place));
            }
        };
        Ok(Some(self.since.map_or(begins, |since| since.max(begins))))
    }

    /// Handles all messages before the target, and none behind it.
    async fn read_on(&mut self, shadow: &Shadow) -> Result<(), ReplayError> {
        let Some(live) = self.live.clone() else { return Ok(()) };
        if self.begun_with != Some(live.restarts) {
            return Err(self.lost());
        }
        let target = live.next;
        while self.next < target {
            if self.held.is_empty() {
                self.receive().await?;
            }
            let mut batch = Vec::new();
            while let Some(first) = self.held.front() {
                let offset = offset(first, self.tape.stream)?;
                // Messages behind a gap up to the target are lost for the live reader too, which says so.
                self.next = self.next.max(offset.min(target));
                if offset >= target {
                    break;
                }
                if offset == target - 1 && live.is_lost(Some((offset, digest(first)))) {
                    return Err(self.lost());
                }
                self.next = offset + 1;
                batch.extend(self.held.pop_front());
            }
            self.digest(shadow, &batch).await?;
        }
        Ok(())
    }

    /// Waits for messages before the target. If none come, or the broker has ended the consumer, the stream is not the one any more that the
    /// live reader has read.
    async fn receive(&mut self) -> Result<(), ReplayError> {
        match self.await_messages().await {
            Err(Error::Deadline { .. } | Error::ConsumerEnded(_)) => Err(self.lost()),
            received => Ok(received?),
        }
    }

    async fn await_messages(&mut self) -> Result<(), Error> {
        let coming = async { Ok::<_, Error>(self.deliveries.next().await) };
        let first = within("a message of a stream", broker::ANSWER, coming).await?;
        let taken = take(first, &mut self.deliveries, self.tape.stream, usize::from(PREFETCH))?;
        taken.acknowledge(self.tape.stream).await?;
        self.held.extend(taken.deliveries);
        Ok(())
    }

    async fn digest(&mut self, shadow: &Shadow, batch: &[Delivery]) -> Result<(), ReplayError> {
        self.tally.replayed += u64::try_from(batch.len()).unwrap_or_default();
        if batch.is_empty() || self.attempt(shadow, batch).await?.is_ok() {
            return Ok(());
        }
        for delivery in batch {
            self.alone(shadow, delivery).await?;
        }
        Ok(())
    }

    /// Tries one message until it takes effect, or is refused as it was the first time.
    async fn alone(&mut self, shadow: &Shadow, delivery: &Delivery) -> Result<(), ReplayError> {
        let one = std::slice::from_ref(delivery);
        let refused = effects::insist(|| self.attempt(shadow, one)).await?.is_err();
        self.tally.refused += u64::from(refused);
        Ok(())
    }

    async fn attempt(
        &self,
        shadow: &Shadow,
        batch: &[Delivery],
    ) -> Result<Result<(), Failure>, ReplayError> {
        let mut tx = shadow.outbox.begin().await?;
        let bodies: Vec<&[u8]> = batch.iter().map(|delivery| &*delivery.data).collect();
        if let Err(failure) = handle(&*self.tape.handler, &mut tx, &bodies).await {
            return Ok(Err(failure));
        }
        tx.commit().await?;
        Ok(Ok(()))
    }
}
