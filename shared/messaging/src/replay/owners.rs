//! A replay from the owners of what was heard: a snapshot of each, and the events that come behind it.
//!
//! The queues of the replay are bound before the first snapshot is read, so every event is in one of the two or in both, and numbers
//! tell which. An event takes effect in the shadow once the live consumer has gone past it, so that the shadow is never ahead
//! but where the snapshot was.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use envelope::{Envelope, EventId, Priority, SpecVersion, decode_parts};
use futures::{StreamExt, future::BoxFuture};
use lapin::{Channel, Consumer, options::QueueDeclareOptions, types::FieldTable};
use sqlx::{AssertSqlSafe, PgConnection};
use tokio::time::Instant;
use uuid::Uuid;

use super::{Mode, Projection, ReplayError, Report, Source, Tally, effects, run, shadow::Shadow};
use crate::{
    Cause, Error, Outbox, Topology,
    broker::{self, Session},
    consumer::{
        consume,
        core::{Incoming, Key},
        parking, take,
    },
    error::within,
    snapshot::{Entry, Page},
    topology::{Subscription, routing_key},
};

/// How many messages the broker hands out ahead.
const PREFETCH: u16 = 96;

/// How many events one transaction takes on.
const TOGETHER: usize = 512;

/// How long a look for what has come may take.
const LOOK: Duration = Duration::from_millis(20);

/// How often a queue is looked at before what came is handled.
const TURN: u32 = 16;

/// Where the live consumers keep how far they have come.
const CURSORS: &str = "messaging.cursor";

/// How long the live consumer may take to come to where the snapshots are.
const FOLLOWS: Duration = Duration::from_secs(10);

/// Reads the page of a snapshot behind the place that the last one named.
type ReadPage = dyn Fn(Option<String>) -> BoxFuture<'static, Result<Page, Cause>> + Send + Sync;

/// An owner of what a service hears, and how it tells what it has.
#[derive(Clone)]
pub struct Owner {
    aggregate: &'static str,
    name: &'static str,
    pages: Arc<ReadPage>,
}

impl Owner {
    /// The service `name`, which says `aggregate` and answers its snapshot page by page.
    pub fn of<F>(
        aggregate: &'static str,
        name: &'static str,
        pages: impl Fn(Option<String>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Page, Cause>> + Send + 'static,
    {
        Self { aggregate, name, pages: Arc::new(move |after| Box::pin(pages(after))) }
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Owner")
            .field("aggregate", &self.aggregate)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Builds `projection` again from what its `owners` have: of all subscriptions whose handlers write to it, each owner once.
///
/// A subscription that is new on a running system begins in the same way: its projection is empty and its cursors are not there,
/// and the swap brings both.
pub async fn from_owners(
    outbox: &Outbox,
    amqp_url: &str,
    topology: &Topology,
    projection: &Projection,
    owners: Vec<Owner>,
    mode: Mode,
) -> Result<Report, ReplayError> {
    let name = format!("{}: replay", topology.service());
    let mut session = Session::connect(amqp_url, &name, broker::HEARTBEAT).await?;
    let mut told = Told { feeds: Vec::new(), owners: owners.clone(), tally: Tally::default() };
    for subscription in topology.subscriptions() {
        if owners.iter().any(|owner| owner.aggregate == subscription.aggregate()) {
            let channel = session.lasting_channel().await?.clone();
            told.feeds.push(Feed::open(&channel, topology.service(), subscription).await?);
        }
    }
    let report = run(outbox, projection, &mut told, mode).await;
    session.close().await;
    report
}

/// What is told again.
struct Told {
    feeds: Vec<Feed>,
    owners: Vec<Owner>,
    tally: Tally,
}

impl Source for Told {
    async fn fill(&mut self, shadow: &Shadow, live: &mut PgConnection) -> Result<(), ReplayError> {
        let time = sqlx::query_scalar("select now()").fetch_one(&mut *live).await?;
        for owner in self.owners.clone() {
            self.take_snapshot(shadow, &owner, time).await?;
        }
        // Where a snapshot is ahead of the live consumer, the two differ without being wrong: it is given time to follow. It may
        // never do so, where events of a key wait.
        let deadline = Instant::now() + FOLLOWS;
        while self.ahead(shadow, live).await? > 0 && Instant::now() < deadline {
            self.take_in(shadow).await?;
        }
        Ok(())
    }

    async fn follow(
        &mut self,
        shadow: &Shadow,
        live: &mut PgConnection,
    ) -> Result<(), ReplayError> {
        let target = format!("{}.replay_target", shadow.schema);
        let mark = format!(
            "drop table if exists {target};
             create table {target} as select consumer, source, aggregate, key, last from messaging.cursor"
        );
        sqlx::raw_sql(AssertSqlSafe(mark)).execute(&mut *live).await?;
        let mut deadline = Instant::now() + effects::ANSWER;
        while let Some(behind) = self.first_behind(shadow, live, &target).await? {
            // As long as anything comes, what is missing may come too.
            if self.take_in(shadow).await? {
                deadline = Instant::now() + effects::ANSWER;
            } else if Instant::now() > deadline {
                return Err(behind);
            }
        }
        Ok(())
    }

    async fn hold_back(&mut self, live: &mut PgConnection) -> Result<(), Error> {
        // Every transaction of a consumer begins with a lock on its cursors.
        sqlx::raw_sql("lock table messaging.cursor in exclusive mode").execute(live).await?;
        Ok(())
    }

    async fn level(
        &mut self,
        shadow: &Shadow,
        live: &mut PgConnection,
        deadline: Instant,
    ) -> Result<bool, ReplayError> {
        loop {
            self.take_in(shadow).await?;
            if self.first_behind(shadow, live, CURSORS).await?.is_none() {
                self.tally.ahead = self.ahead(shadow, live).await?;
                return Ok(true);
            }
            if Instant::now() > deadline {
                return Ok(false);
            }
        }
    }

    async fn hand_over(
        &mut self,
        shadow: &Shadow,
        live: &mut PgConnection,
    ) -> Result<(), ReplayError> {
        for feed in &self.feeds {
            feed.hand_over(shadow, live).await?;
        }
        Ok(())
    }

    async fn why_behind(&mut self, shadow: &Shadow, live: &mut PgConnection) -> ReplayError {
        match self.first_behind(shadow, live, CURSORS).await {
            Ok(Some(behind)) => behind,
            Ok(None) => ReplayError::NoPause,
            Err(error) => error,
        }
    }

    fn since(&self) -> Option<DateTime<Utc>> {
        None
    }

    fn tally(&self) -> Tally {
        self.tally
    }
}

impl Told {
    /// Takes in what has come, and lets it take effect as far as it may. Says whether anything came.
    async fn take_in(&mut self, shadow: &Shadow) -> Result<bool, ReplayError> {
        let mut came = false;
        for feed in &mut self.feeds {
            came |= feed.listen().await?;
            let (replayed, refused) = feed.follow(shadow).await?;
            self.tally.replayed += replayed;
            self.tally.refused += refused;
        }
        Ok(came)
    }

    /// Reads the snapshot of one owner into the shadow.
    async fn take_snapshot(
        &mut self,
        shadow: &Shadow,
        owner: &Owner,
        time: DateTime<Utc>,
    ) -> Result<(), ReplayError> {
        let aggregate = owner.aggregate;
        let feed = self.feeds.iter().find(|feed| feed.subscription.aggregate() == aggregate);
        let subscription = &feed.ok_or(ReplayError::NotHeard(aggregate))?.subscription;
        let mut after = None;
        loop {
            let page = (owner.pages)(after).await;
            let page = page.map_err(|source| ReplayError::Snapshot { aggregate, source })?;
            self.tally.entries += u64::try_from(page.items.len()).unwrap_or_default();
            let incoming: Vec<Incoming> =
                page.items.into_iter().map(|entry| told(owner, time, entry)).collect();
            for together in incoming.chunks(TOGETHER) {
                effects::apply(shadow, subscription, together, effects::From::Snapshot).await?;
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// Of how many keys the shadow has more than the live consumer has heard.
    async fn ahead(&self, shadow: &Shadow, live: &mut PgConnection) -> Result<i64, ReplayError> {
        let mut ahead = 0;
        for feed in &self.feeds {
            ahead += sqlx::query_scalar::<_, i64>(AssertSqlSafe(format!(
                "select count(*)
                 from {}.replay_cursor s
                 left join messaging.cursor c
                    on c.consumer = $1 and c.source = s.source and c.aggregate = s.aggregate and c.key = s.key
                 where s.aggregate = $2 and s.last > coalesce(c.last, 0)",
                shadow.schema
            )))
            .bind(&feed.consumer)
            .bind(feed.subscription.aggregate())
            .fetch_one(&mut *live)
            .await?;
        }
        Ok(ahead)
    }

    /// A key of which the live consumer, as `cursors` say, has heard more than the shadow, if there is one.
    async fn first_behind(
        &self,
        shadow: &Shadow,
        live: &mut PgConnection,
        cursors: &str,
    ) -> Result<Option<ReplayError>, ReplayError> {
        let consumers: Vec<&str> = self.feeds.iter().map(|feed| feed.consumer.as_str()).collect();
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

/// The entry of a snapshot as an event of the `time` at which the replay began.
fn told(owner: &Owner, time: DateTime<Utc>, entry: Entry) -> Incoming {
    let Entry { key, sequence, kind, data } = entry;
    let envelope = Envelope {
        specversion: SpecVersion::V1,
        id: EventId::new(),
        source: owner.name.to_owned(),
        kind,
        subject: key,
        time,
        sequence,
        aggregate: owner.aggregate.to_owned(),
        traceparent: None,
        priority: Priority::Bulk,
        keyid: None,
        signature: None,
        encryption: None,
        data,
    };
    Incoming { envelope, attempts: 0, causes: Vec::new(), route: (String::new(), String::new()) }
}

/// One subscription in a replay.
struct Feed {
    subscription: Subscription,
    /// The live consumer.
    consumer: String,
    queue: String,
    deliveries: Consumer,
    /// Events that have come and have not taken effect in the shadow.
    waiting: HashMap<Key, BTreeMap<i64, Incoming>>,
}

impl Feed {
    /// Makes a queue of the replay's own, which goes with its connection, and binds it as those of the subscription are bound.
    async fn open(
        channel: &Channel,
        service: &str,
        subscription: &Subscription,
    ) -> Result<Self, Error> {
        let aggregate = subscription.aggregate();
        let queue = format!("{service}.{aggregate}.replay.{}", Uuid::new_v4().simple());
        let options = QueueDeclareOptions {
            exclusive: true,
            auto_delete: true,
            ..QueueDeclareOptions::default()
        };
        let declared = channel.queue_declare(queue.as_str().into(), options, FieldTable::default());
        within("declaring a queue", broker::ANSWER, declared).await?;
        for speaker in subscription.publishers() {
            for slot in envelope::Slot::all() {
                let key = routing_key(aggregate, slot.number());
                broker::bind(channel, &queue, speaker, &key).await?;
            }
        }
        let deliveries = consume(channel, &queue, PREFETCH, FieldTable::default()).await?;
        Ok(Self {
            subscription: subscription.clone(),
            consumer: subscription.consumer(service),
            queue,
            deliveries,
            waiting: HashMap::new(),
        })
    }

    /// Takes what has come, a bounded number of messages, and waits a moment for the first. Says whether anything has come.
    async fn listen(&mut self) -> Result<bool, Error> {
        let mut came = 0;
        while came < TURN && self.listen_once(if came == 0 { LOOK } else { Duration::ZERO }).await?
        {
            came += 1;
        }
        Ok(came > 0)
    }

    async fn listen_once(&mut self, patience: Duration) -> Result<bool, Error> {
        let Ok(first) = tokio::time::timeout(patience, self.deliveries.next()).await else {
            return Ok(false);
        };
        let taken = take(first, &mut self.deliveries, &self.queue, TOGETHER)?;
        for delivery in &taken.deliveries {
            // What is no event, or is about something else, became a dead letter of the live consumer.
            for envelope in decode_parts(&delivery.data).into_iter().flatten() {
                if envelope.aggregate != self.subscription.aggregate() {
                    continue;
                }
                let route = (delivery.exchange.to_string(), delivery.routing_key.to_string());
                let sequence = envelope.sequence;
                let one = Incoming { envelope, attempts: 0, causes: Vec::new(), route };
                self.waiting.entry(one.key()).or_default().insert(sequence, one);
            }
        }
        taken.acknowledge(&self.queue).await?;
        Ok(true)
    }

    /// Lets those events take effect in the shadow that the live consumer has gone past. Answers how many, and how many of them
    /// were refused.
    async fn follow(&mut self, shadow: &Shadow) -> Result<(u64, u64), ReplayError> {
        let keys: Vec<Key> = self.waiting.keys().cloned().collect();
        let (mut replayed, mut refused) = (0, 0);
        for keys in keys.chunks(TOGETHER) {
            let mut ready = Vec::new();
            for (key, Places { live, shadow }) in self.places(shadow, keys).await? {
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
            for together in ready.chunks(TOGETHER) {
                refused +=
                    effects::apply(shadow, &self.subscription, together, effects::From::Queue)
                        .await?;
            }
            replayed += u64::try_from(ready.len()).unwrap_or_default();
        }
        Ok((replayed, refused))
    }

    /// How far the live consumer and the shadow have come with `keys`.
    async fn places(
        &self,
        shadow: &Shadow,
        keys: &[Key],
    ) -> Result<Vec<(Key, Places)>, ReplayError> {
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
        let places = |(source, key, live, shadow)| ((source, key), Places { live, shadow });
        Ok(rows.into_iter().map(places).collect())
    }

    /// Moves the live consumer's cursors to the shadow's where a snapshot was ahead of it, and deals with what waits or died of
    /// what the snapshot holds.
    async fn hand_over(&self, shadow: &Shadow, live: &mut PgConnection) -> Result<(), ReplayError> {
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
        let free = format!(
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
        for statement in [letters, ahead, free] {
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
        for key in &unsettled {
            parking::settle(live, consumer, aggregate, key).await?;
        }
        Ok(())
    }
}

/// How far two have come with a key.
struct Places {
    live: i64,
    shadow: i64,
}
