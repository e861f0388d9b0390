//! Replays from snapshots of the publishers and their later events.
//!
//! The temporary queues are bound before the first snapshot is read. So every event is in a snapshot, in a
//! queue, or in both, and its number tells which. An event is applied to the shadow after the live consumer
//! has processed it, so the shadow is ahead only where a snapshot was.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use envelope::{Envelope, EventId, Priority, SpecVersion};
use futures::{StreamExt, future::BoxFuture};
use lapin::{Channel, Consumer, options::QueueDeclareOptions, types::FieldTable};
use sqlx::{AssertSqlSafe, PgConnection};
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    Mode, Projection, ReplayCounts, ReplayError, ReplayReport, ReplaySource, apply, run,
    shadow::Shadow,
};
use crate::{
    broker::{self, Session},
    consume::{
        deliveries::{collect_batch, start_consumer},
        message_reader::{MessageReader, ReadMessage},
        parking,
        received_event::{Key, ReceivedEvent},
        subscription::Subscription,
    },
    error::{Cause, Error, with_timeout},
    message_position::Purpose,
    naming::routing_key,
    publish::outbox::Outbox,
    signatures::Signatures,
    snapshot::{Entry, Page},
    topology::Topology,
};

/// The prefetch of a temporary queue, in messages.
const PREFETCH: u16 = 96;

/// The most events per transaction.
const BATCH_SIZE: usize = 512;

/// How long a poll waits for the first message.
const POLL_TIMEOUT: Duration = Duration::from_millis(20);

/// The most polls of a queue before its events are applied.
const MAX_POLLS: u32 = 16;

/// The cursors of the live consumers.
const LIVE_CURSORS: &str = "messaging.cursor";

/// How long the live consumers may take to reach the snapshots.
const LIVE_CATCH_UP_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads the page of a snapshot that starts at the given position.
type ReadPage = dyn Fn(Option<String>) -> BoxFuture<'static, Result<Page, Cause>> + Send + Sync;

/// The snapshot of a publisher.
#[derive(Clone)]
pub struct SnapshotSource {
    aggregate: &'static str,
    name: &'static str,
    read_page: Arc<ReadPage>,
}

impl SnapshotSource {
    /// The snapshot of `aggregate` as the service `name` publishes it. `read_page` reads one page.
    pub fn new<F>(
        aggregate: &'static str,
        name: &'static str,
        read_page: impl Fn(Option<String>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Page, Cause>> + Send + 'static,
    {
        Self { aggregate, name, read_page: Arc::new(move |after| Box::pin(read_page(after))) }
    }
}

impl fmt::Debug for SnapshotSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SnapshotSource")
            .field("aggregate", &self.aggregate)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Rebuilds `projection` from snapshots: one from each publisher of each subscription whose handlers write to
/// it.
///
/// This also bootstraps a new subscription on a running system: the projection and the cursors are empty, and
/// the swap fills both.
pub async fn from_snapshots(
    outbox: &Outbox,
    amqp_url: &str,
    topology: &Topology,
    projection: &Projection,
    sources: Vec<SnapshotSource>,
    mode: Mode,
) -> Result<ReplayReport, ReplayError> {
    let name = format!("{}: replay", topology.service());
    let mut session = Session::connect(amqp_url, &name, broker::HEARTBEAT).await?;
    let mut replay = SnapshotReplay {
        subscriptions: Vec::new(),
        sources: sources.clone(),
        counts: ReplayCounts::default(),
    };
    for subscription in topology.subscriptions() {
        if sources.iter().any(|source| source.aggregate == subscription.aggregate()) {
            let channel = session.lasting_channel().await?.clone();
            replay.subscriptions.push(
                ReplayedSubscription::open(
                    &channel,
                    topology.service(),
                    subscription,
                    outbox.signatures(),
                )
                .await?,
            );
        }
    }
    let report = run(outbox, projection, &mut replay, mode).await;
    session.close().await;
    report
}

struct SnapshotReplay {
    subscriptions: Vec<ReplayedSubscription>,
    sources: Vec<SnapshotSource>,
    counts: ReplayCounts,
}

impl ReplaySource for SnapshotReplay {
    async fn initialize(
        &mut self,
        shadow: &Shadow,
        live: &mut PgConnection,
    ) -> Result<(), ReplayError> {
        let time = sqlx::query_scalar("select now()").fetch_one(&mut *live).await?;
        for source in self.sources.clone() {
            self.read_snapshot(shadow, &source, time).await?;
        }
        // If a snapshot is ahead of the live consumer, the tables differ without being wrong: the consumer
        // gets time to catch up. It may never do so if events of a key are parked.
        let deadline = Instant::now() + LIVE_CATCH_UP_TIMEOUT;
        while self.ahead(shadow, live).await? > 0 && Instant::now() < deadline {
            self.process_events(shadow).await?;
        }
        Ok(())
    }

    async fn catch_up(
        &mut self,
        shadow: &Shadow,
        live: &mut PgConnection,
    ) -> Result<(), ReplayError> {
        let target = format!("{}.replay_target", shadow.schema);
        let mark = format!(
            "truncate {target};
             insert into {target} select consumer, source, aggregate, key, last from messaging.cursor"
        );
        sqlx::raw_sql(AssertSqlSafe(mark)).execute(&mut *live).await?;
        let mut deadline = Instant::now() + apply::IDLE_TIMEOUT;
        while let Some(behind) = self.first_behind(shadow, live, &target).await? {
            // While events arrive, the missing one may arrive too.
            if self.process_events(shadow).await? {
                deadline = Instant::now() + apply::IDLE_TIMEOUT;
            } else if Instant::now() > deadline {
                return Err(behind);
            }
        }
        Ok(())
    }

    async fn pause_live(&mut self, live: &mut PgConnection) -> Result<(), Error> {
        // Every transaction of a consumer starts by locking its cursors.
        sqlx::raw_sql("lock table messaging.cursor in exclusive mode").execute(live).await?;
        Ok(())
    }

    async fn catch_up_paused(
        &mut self,
        shadow: &Shadow,
        live: &mut PgConnection,
        deadline: Instant,
    ) -> Result<bool, ReplayError> {
        loop {
            self.process_events(shadow).await?;
            if self.first_behind(shadow, live, LIVE_CURSORS).await?.is_none() {
                self.counts.ahead = self.ahead(shadow, live).await?;
                return Ok(true);
            }
            if Instant::now() > deadline {
                return Ok(false);
            }
        }
    }

    async fn transfer_cursors(
        &mut self,
        shadow: &Shadow,
        live: &mut PgConnection,
    ) -> Result<(), ReplayError> {
        for replayed in &self.subscriptions {
            replayed.transfer_cursors(shadow, live).await?;
        }
        Ok(())
    }

    async fn lag_reason(&mut self, shadow: &Shadow, live: &mut PgConnection) -> ReplayError {
        match self.first_behind(shadow, live, LIVE_CURSORS).await {
            Ok(Some(behind)) => behind,
            Ok(None) => ReplayError::NoPause,
            Err(error) => error,
        }
    }

    fn since(&self) -> Option<DateTime<Utc>> {
        None
    }

    fn counts(&self) -> ReplayCounts {
        self.counts
    }
}

impl SnapshotReplay {
    /// Receives events and applies them as far as possible. Returns whether any arrived.
    async fn process_events(&mut self, shadow: &Shadow) -> Result<bool, ReplayError> {
        let mut any_received = false;
        for replayed in &mut self.subscriptions {
            any_received |= replayed.poll().await?;
            let (applied, rejected) = replayed.apply_ready(shadow).await?;
            self.counts.replayed += applied;
            self.counts.rejected += rejected;
        }
        Ok(any_received)
    }

    /// Reads one snapshot into the shadow.
    async fn read_snapshot(
        &mut self,
        shadow: &Shadow,
        source: &SnapshotSource,
        time: DateTime<Utc>,
    ) -> Result<(), ReplayError> {
        let aggregate = source.aggregate;
        let replayed = self.subscriptions.iter();
        let mut replayed = replayed.filter(|one| one.subscription.aggregate() == aggregate);
        let replayed = replayed.next().ok_or(ReplayError::NotSubscribed(aggregate))?;
        let subscription = &replayed.subscription;
        let mut after = None;
        loop {
            let page = (source.read_page)(after).await;
            let page = page.map_err(|source| ReplayError::Snapshot { aggregate, source })?;
            self.counts.entries += u64::try_from(page.items.len()).unwrap_or_default();
            let events: Vec<ReceivedEvent> =
                page.items.into_iter().map(|entry| event_of(source, time, entry)).collect();
            for batch in events.chunks(BATCH_SIZE) {
                apply::apply(shadow, subscription, batch, apply::EventOrigin::Snapshot).await?;
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// The number of keys for which the shadow is ahead of the live consumer.
    async fn ahead(&self, shadow: &Shadow, live: &mut PgConnection) -> Result<i64, ReplayError> {
        let mut ahead = 0;
        for replayed in &self.subscriptions {
            ahead += sqlx::query_scalar::<_, i64>(AssertSqlSafe(format!(
                "select count(*)
                 from {}.replay_cursor s
                 left join messaging.cursor c
                    on c.consumer = $1 and c.source = s.source and c.aggregate = s.aggregate and c.key = s.key
                 where s.aggregate = $2 and s.last > coalesce(c.last, 0)",
                shadow.schema
            )))
            .bind(&replayed.consumer)
            .bind(replayed.subscription.aggregate())
            .fetch_one(&mut *live)
            .await?;
        }
        Ok(ahead)
    }

    /// A key for which the live consumer, according to `cursors`, is ahead of the shadow, if any.
    async fn first_behind(
        &self,
        shadow: &Shadow,
        live: &mut PgConnection,
        cursors: &str,
    ) -> Result<Option<ReplayError>, ReplayError> {
        let consumers: Vec<&str> =
            self.subscriptions.iter().map(|one| one.consumer.as_str()).collect();
        let behind: Option<(String, String, i64, i64)> = sqlx::query_as(AssertSqlSafe(format!(
            "select c.aggregate, c.key, c.last, coalesce(s.last, 0)
             from {cursors} c
             left join {}.replay_cursor s on s.source = c.source and s.aggregate = c.aggregate and s.key = c.key
             where c.consumer = any($1) and c.last > coalesce(s.last, 0)
             limit 1",
            shadow.schema
        )))
        .bind(&consumers)
        .fetch_optional(live)
        .await?;
        Ok(behind.map(|(aggregate, key, live, shadow)| ReplayError::Behind {
            aggregate,
            key,
            live,
            shadow,
        }))
    }
}

/// A snapshot entry as an event with the start time of the replay.
fn event_of(source: &SnapshotSource, time: DateTime<Utc>, entry: Entry) -> ReceivedEvent {
    let Entry { key, sequence, kind, data } = entry;
    let envelope = Envelope {
        specversion: SpecVersion::V1,
        id: EventId::new(),
        source: source.name.to_owned(),
        kind,
        subject: key,
        time,
        sequence,
        aggregate: source.aggregate.to_owned(),
        traceparent: None,
        priority: Priority::Bulk,
        keyid: None,
        signature: None,
        encryption: None,
        data,
    };
    ReceivedEvent {
        envelope,
        attempts: 0,
        causes: Vec::new(),
        route: (String::new(), String::new()),
    }
}

struct ReplayedSubscription {
    subscription: Subscription,
    /// The name of the live consumer.
    consumer: String,
    queue: String,
    deliveries: Consumer,
    reader: MessageReader,
    /// Received events that are not applied to the shadow yet.
    waiting: HashMap<Key, BTreeMap<i64, ReceivedEvent>>,
}

impl ReplayedSubscription {
    /// Declares a temporary queue that ends with its connection, with the bindings of the subscription.
    async fn open(
        channel: &Channel,
        service: &str,
        subscription: &Subscription,
        signatures: &Signatures,
    ) -> Result<Self, Error> {
        let aggregate = subscription.aggregate();
        let queue = format!("{service}.{aggregate}.replay.{}", Uuid::new_v4().simple());
        let options = QueueDeclareOptions {
            exclusive: true,
            auto_delete: true,
            ..QueueDeclareOptions::default()
        };
        let declared = channel.queue_declare(queue.as_str().into(), options, FieldTable::default());
        with_timeout("declaring a queue", broker::REPLY_TIMEOUT, declared).await?;
        for publisher in subscription.publishers() {
            for slot in envelope::Slot::all() {
                let key = routing_key(aggregate, slot.number());
                broker::bind(channel, &queue, publisher, &key).await?;
            }
        }
        let deliveries = start_consumer(channel, &queue, PREFETCH, FieldTable::default()).await?;
        let consumer = subscription.consumer(service);
        Ok(Self {
            subscription: subscription.clone(),
            reader: MessageReader::of_queue(&consumer, &queue, subscription, signatures),
            consumer,
            queue,
            deliveries,
            waiting: HashMap::new(),
        })
    }

    /// Receives a bounded number of messages, and waits briefly for the first. Returns whether any arrived.
    async fn poll(&mut self) -> Result<bool, Error> {
        let mut received = 0;
        while received < MAX_POLLS
            && self.poll_once(if received == 0 { POLL_TIMEOUT } else { Duration::ZERO }).await?
        {
            received += 1;
        }
        Ok(received > 0)
    }

    async fn poll_once(&mut self, limit: Duration) -> Result<bool, Error> {
        let Ok(first) = tokio::time::timeout(limit, self.deliveries.next()).await else {
            return Ok(false);
        };
        let batch = collect_batch(first, &mut self.deliveries, &self.queue, BATCH_SIZE)?;
        for delivery in &batch.deliveries {
            let ReadMessage { position, parts } = self.reader.read(delivery)?;
            // The events of a reminder are older than the replay.
            if position.is_some_and(|arrived| arrived.purpose == Purpose::Reminder) {
                continue;
            }
            // The live consumer records refused messages, and unreadable and foreign parts, as dead letters.
            for event in parts.into_iter().flatten() {
                let sequence = event.envelope.sequence;
                self.waiting.entry(event.key()).or_default().insert(sequence, event);
            }
        }
        batch.acknowledge(&self.queue).await?;
        Ok(true)
    }

    /// Applies the events that the live consumer has processed. Returns how many were applied, and how many
    /// of these were rejected.
    async fn apply_ready(&mut self, shadow: &Shadow) -> Result<(u64, u64), ReplayError> {
        let keys: Vec<Key> = self.waiting.keys().cloned().collect();
        let (mut applied, mut rejected) = (0, 0);
        for keys in keys.chunks(BATCH_SIZE) {
            let mut ready = Vec::new();
            for (key, Positions { live, shadow }) in self.positions(shadow, keys).await? {
                let Some(events) = self.waiting.get_mut(&key) else { continue };
                let mut last = shadow;
                while let Some(first) = events.first_entry() {
                    let sequence = *first.key();
                    if sequence <= last {
                        first.remove();
                    } else if sequence == last + 1 && sequence <= live {
                        ready.push(first.remove());
                        last = sequence;
                    } else {
                        break;
                    }
                }
                if events.is_empty() {
                    self.waiting.remove(&key);
                }
            }
            for batch in ready.chunks(BATCH_SIZE) {
                let origin = apply::EventOrigin::Queue;
                rejected += apply::apply(shadow, &self.subscription, batch, origin).await?;
            }
            applied += u64::try_from(ready.len()).unwrap_or_default();
        }
        Ok((applied, rejected))
    }

    /// The positions of the live consumer and the shadow for `keys`.
    async fn positions(
        &self,
        shadow: &Shadow,
        keys: &[Key],
    ) -> Result<Vec<(Key, Positions)>, ReplayError> {
        let (sources, names): (Vec<&str>, Vec<&str>) =
            keys.iter().map(|(source, key)| (source.as_str(), key.as_str())).unzip();
        let mut tx = shadow.outbox.begin().await?;
        let rows: Vec<(String, String, i64, i64)> = sqlx::query_as(
            "select w.source, w.key, coalesce(c.last, 0), coalesce(s.last, 0)
             from unnest($1::text[], $2::text[]) as w (source, key)
             left join messaging.cursor c
                on c.consumer = $3 and c.source = w.source and c.aggregate = $4 and c.key = w.key
             left join replay_cursor s on s.source = w.source and s.aggregate = $4 and s.key = w.key",
        )
        .bind(sources)
        .bind(names)
        .bind(&self.consumer)
        .bind(self.subscription.aggregate())
        .fetch_all(&mut *tx)
        .await?;
        tx.rollback().await;
        let positions = |(source, key, live, shadow)| ((source, key), Positions { live, shadow });
        Ok(rows.into_iter().map(positions).collect())
    }

    /// Moves the live cursors to those of the shadow where a snapshot was ahead, and resolves the parked
    /// events and dead letters that the snapshot covers.
    async fn transfer_cursors(
        &self,
        shadow: &Shadow,
        live: &mut PgConnection,
    ) -> Result<(), ReplayError> {
        let (consumer, aggregate) = (self.consumer.as_str(), self.subscription.aggregate());
        let cursors = format!("{}.replay_cursor", shadow.schema);
        let letters = format!(
            "update messaging.dead_letter d set state = 'redriven', resolved_at = now()
             from {cursors} s
             where d.consumer = $1 and d.aggregate = $2 and d.state = 'pending'
                and s.aggregate = $2 and s.source = d.source and s.key = d.key and d.seq <= s.snapshot"
        );
        let ahead = format!(
            "insert into messaging.cursor as c (consumer, aggregate, source, key, last)
             select $1, $2, s.source, s.key, s.last
             from {cursors} s
             left join messaging.cursor l
                on l.consumer = $1 and l.aggregate = $2 and l.source = s.source and l.key = s.key
             where s.aggregate = $2 and s.last > coalesce(l.last, 0)
             on conflict (consumer, source, aggregate, key) do update set last = excluded.last"
        );
        let unblock = format!(
            "update messaging.cursor c set hold = 'parked'
             from {cursors} s
             where c.consumer = $1 and c.aggregate = $2 and c.hold = 'blocked'
                and s.aggregate = $2 and s.source = c.source and s.key = c.key
                and not exists (
                    select from messaging.dead_letter d
                    where d.consumer = $1 and d.source = c.source and d.aggregate = $2 and d.key = c.key
                        and d.state = 'pending' and d.blocks and d.passed
                )"
        );
        for statement in [letters, ahead, unblock] {
            let statement = sqlx::query(AssertSqlSafe(statement)).bind(consumer).bind(aggregate);
            statement.execute(&mut *live).await?;
        }
        let unsettled: Vec<Key> = sqlx::query_as(
            "select source, key from messaging.cursor
             where consumer = $1 and aggregate = $2 and hold <> 'free'
             union
             select source, key from messaging.parked where consumer = $1 and aggregate = $2
             order by source, key",
        )
        .bind(consumer)
        .bind(aggregate)
        .fetch_all(&mut *live)
        .await?;
        for keys in unsettled.chunks(BATCH_SIZE) {
            parking::settle(live, consumer, aggregate, keys).await?;
        }
        Ok(())
    }
}

struct Positions {
    live: i64,
    shadow: i64,
}
