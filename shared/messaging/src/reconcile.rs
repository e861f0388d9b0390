//! Compares a publisher whose database went back to an earlier state with what its subscribers have seen.
//!
//! For a database that was restored from a backup, or a failover to a copy that lacks commits. Its sequence numbers went back as well,
//! so its next events would get numbers that subscribers take for duplicates. Reconciling lists the lost commits by key, and raises the
//! numbers behind everything that a subscriber has seen. The lost commits themselves do not come back.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use envelope::SLOTS;
use futures::TryStreamExt as _;
use serde::Serialize;
use sqlx::{PgConnection, PgPool};

use crate::{
    broker::{self, Session, depth},
    error::Error,
    naming::consumer_queue,
    publish::{outbox::Outbox, positions, transaction::Transaction},
    topology::Topology,
};

/// The keys of one statement.
const CHUNK: usize = 10_000;

/// Compares the publisher that `topology` describes with its subscribers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Reconciler {
    outbox: Outbox,
    amqp_url: String,
    service: &'static str,
    aggregates: BTreeSet<&'static str>,
}

/// A service that subscribes to the publisher, with its own database.
#[derive(Debug, Clone)]
pub struct Subscriber {
    /// The name of the service.
    pub name: String,
    pub pool: PgPool,
}

/// The commits of a key that the publisher has lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LostCommits {
    pub aggregate: String,
    pub key: String,
    /// The last number that the publisher knows; 0 if it does not know the key.
    pub last: i64,
    /// The highest number that a subscriber has seen: the events from `last` + 1 to this one are lost.
    pub seen: i64,
    /// The first subscriber that has seen this number.
    pub subscriber: String,
}

/// What a subscriber has seen of the publisher.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeenKeys {
    pub subscriber: String,
    /// The number of keys.
    pub keys: u64,
}

/// What the subscribers have seen that the publisher does not know.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// One entry for each subscriber. One without keys may be the database of another service.
    pub compared: Vec<SeenKeys>,
    /// Sorted by aggregate and key.
    pub lost_commits: Vec<LostCommits>,
    /// The highest positions of messages that have arrived.
    #[serde(skip)]
    positions: BTreeMap<(String, i16), i64>,
}

/// Why the publisher was not compared.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// Their numbers are not known before they are consumed.
    #[error(
        "{messages} messages wait in {queue}; repeat this when the subscriber has consumed them"
    )]
    Waiting { queue: String, messages: u32 },
    #[error(transparent)]
    Messaging(#[from] Error),
}

/// A key, and the highest number that a subscriber has seen of it.
#[derive(Debug)]
struct SeenKey {
    aggregate: String,
    key: String,
    seen: i64,
}

impl Reconciler {
    /// `amqp_url` as in [`MessagingRuntime::new`](crate::MessagingRuntime::new).
    pub fn new(outbox: Outbox, amqp_url: impl Into<String>, topology: &Topology) -> Self {
        let aggregates = topology.published().iter().map(|kind| kind.aggregate).collect();
        Self { outbox, amqp_url: amqp_url.into(), service: topology.service(), aggregates }
    }

    /// Compares the numbers of the publisher with those that its subscribers have seen. It changes nothing.
    ///
    /// Name all subscribers: what only another one has seen is not found. Their queues must be empty, because the numbers of messages
    /// that wait there are not known. The publisher should not run: what it publishes under numbers that were used before is lost.
    pub async fn compare(&self, subscribers: &[Subscriber]) -> Result<Comparison, ReconcileError> {
        self.check_queues(subscribers).await?;
        let history = {
            let mut connection = self.outbox.pool().acquire().await.map_err(Error::from)?;
            positions::history(&mut connection).await?
        };
        let (mut compared, mut lost, mut highest) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        for Subscriber { name, pool } in subscribers {
            let keys = self.compare_with(name, pool, &mut lost).await?;
            compared.push(SeenKeys { subscriber: name.clone(), keys });
            for (partition, position) in received(pool, self.service, history).await? {
                let known = highest.entry(partition).or_insert(position);
                *known = position.max(*known);
            }
        }
        Ok(Comparison { compared, lost_commits: lost.into_values().collect(), positions: highest })
    }

    /// Fails if a message waits for a subscriber.
    async fn check_queues(&self, subscribers: &[Subscriber]) -> Result<(), ReconcileError> {
        let name = format!("{}: reconcile", self.service);
        let session = Session::connect(&self.amqp_url, &name, broker::HEARTBEAT).await?;
        let channels = session.channels()?;
        for Subscriber { name, .. } in subscribers {
            for aggregate in &self.aggregates {
                // Any of them may exist: those of the setting, and former ones.
                for group in 0..SLOTS {
                    let queue = consumer_queue(name, aggregate, group);
                    match depth(&channels, &queue).await? {
                        Some((messages, _)) if messages > 0 => {
                            return Err(ReconcileError::Waiting { queue, messages });
                        }
                        Some(_) | None => {}
                    }
                }
            }
        }
        session.close().await;
        Ok(())
    }

    /// Adds the keys that this subscriber is ahead of. Returns the number of its keys.
    async fn compare_with(
        &self,
        subscriber: &str,
        pool: &PgPool,
        lost: &mut BTreeMap<(String, String), LostCommits>,
    ) -> Result<u64, Error> {
        // A parked event was seen, and so was a dead letter; the cursor may not have passed them.
        let seen = sqlx::query_as!(
            SeenKey,
            r#"
            select aggregate as "aggregate!", key as "key!", max(number) as "seen!"
            from (
                select aggregate, key, last as number from messaging.cursor where source = $1
                union all
                select aggregate, key, seq from messaging.parked where source = $1
                union all
                select aggregate, key, seq from messaging.dead_letter
                where source = $1 and state = 'pending' and aggregate is not null and key is not null and seq is not null
            ) seen
            group by aggregate, key
            "#,
            self.service,
        );
        let mut chunks = seen.fetch(pool).try_chunks(CHUNK);
        let mut keys = 0;
        while let Some(chunk) = chunks.try_next().await.map_err(|chunk| chunk.1)? {
            keys += u64::try_from(chunk.len()).unwrap_or_default();
            let mut publisher = self.outbox.pool().acquire().await?;
            for (index, last) in behind(&mut publisher, &chunk).await? {
                let SeenKey { aggregate, key, seen } = &chunk[index];
                let known = lost.get(&(aggregate.clone(), key.clone()));
                if known.is_none_or(|known| known.seen < *seen) {
                    let found = LostCommits {
                        aggregate: aggregate.clone(),
                        key: key.clone(),
                        last,
                        seen: *seen,
                        subscriber: subscriber.to_owned(),
                    };
                    lost.insert((aggregate.clone(), key.clone()), found);
                }
            }
        }
        Ok(keys)
    }
}

/// The indexes of those keys of which the publisher does not know the number, with the last number that it knows.
async fn behind(
    publisher: &mut PgConnection,
    seen: &[SeenKey],
) -> Result<Vec<(usize, i64)>, Error> {
    let aggregates: Vec<&str> = seen.iter().map(|key| key.aggregate.as_str()).collect();
    let keys: Vec<&str> = seen.iter().map(|key| key.key.as_str()).collect();
    let numbers: Vec<i64> = seen.iter().map(|key| key.seen).collect();
    let rows = sqlx::query!(
        r#"
        select u.place as "place!", coalesce(s.last, 0) as "last!"
        from unnest($1::text[], $2::text[], $3::bigint[]) with ordinality as u (aggregate, key, seen, place)
        left join messaging.sequence s on s.aggregate = u.aggregate and s.key = u.key
        where coalesce(s.last, 0) < u.seen
        "#,
        &aggregates as &[&str],
        &keys as &[&str],
        &numbers,
    )
    .fetch_all(publisher)
    .await?;
    let index = |place: i64| usize::try_from(place - 1).unwrap_or_default();
    Ok(rows.into_iter().map(|row| (index(row.place), row.last)).collect())
}

/// The highest positions of a publisher's history that have arrived at a subscriber, by aggregate and slot.
async fn received(
    pool: &PgPool,
    publisher: &str,
    history: i64,
) -> Result<Vec<((String, i16), i64)>, Error> {
    let rows = sqlx::query!(
        r#"
        select split_part(consumer, '.', 2) as "aggregate!", slot, received
        from messaging.received_position where publisher = $1 and history = $2
        "#,
        publisher,
        history,
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| ((row.aggregate, row.slot), row.received)).collect())
}

impl Comparison {
    /// Raises the numbers and positions of the publisher behind everything that was seen, and records the lost commits. When the
    /// transaction has committed, new events of these keys take effect. It may be repeated.
    pub async fn apply(&self, tx: &mut Transaction) -> Result<(), Error> {
        for chunk in self.lost_commits.chunks(CHUNK) {
            raise_numbers(tx, chunk).await?;
        }
        raise_positions(tx, &self.positions).await
    }
}

async fn raise_numbers(connection: &mut PgConnection, lost: &[LostCommits]) -> Result<(), Error> {
    let aggregates: Vec<&str> = lost.iter().map(|key| key.aggregate.as_str()).collect();
    let keys: Vec<&str> = lost.iter().map(|key| key.key.as_str()).collect();
    let last: Vec<i64> = lost.iter().map(|key| key.last).collect();
    let seen: Vec<i64> = lost.iter().map(|key| key.seen).collect();
    let subscribers: Vec<&str> = lost.iter().map(|key| key.subscriber.as_str()).collect();
    sqlx::query!(
        r#"
        with lost as (
            select * from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::text[])
                as l (aggregate, key, last, seen, subscriber)
        ), recorded as (
            insert into messaging.lost_commit (aggregate, key, last, seen, subscriber)
            select aggregate, key, last, seen, subscriber from lost
            on conflict do nothing
        )
        insert into messaging.sequence as s (aggregate, key, last)
        select aggregate, key, seen from lost
        order by aggregate collate "C", key collate "C"
        on conflict (aggregate, key) do update set last = greatest(s.last, excluded.last)
        "#,
        &aggregates as &[&str],
        &keys as &[&str],
        &last,
        &seen,
        &subscribers as &[&str],
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Then no position is given out twice, and subscribers do not take the publisher for one that went back.
async fn raise_positions(
    connection: &mut PgConnection,
    positions: &BTreeMap<(String, i16), i64>,
) -> Result<(), Error> {
    let aggregates: Vec<&str> = positions.keys().map(|(aggregate, _)| aggregate.as_str()).collect();
    let slots: Vec<i16> = positions.keys().map(|(_, slot)| *slot).collect();
    let last: Vec<i64> = positions.values().copied().collect();
    sqlx::query!(
        r#"
        insert into messaging.slot_position as p (aggregate, slot, last)
        select * from unnest($1::text[], $2::smallint[], $3::bigint[])
        on conflict (aggregate, slot) do update set last = greatest(p.last, excluded.last)
        "#,
        &aggregates as &[&str],
        &slots,
        &last,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Lost commits as they were recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordedLoss {
    pub aggregate: String,
    pub key: String,
    /// The last number that the publisher knew; 0 if it did not know the key.
    pub last: i64,
    /// The highest number that a subscriber had seen.
    pub seen: i64,
    pub subscriber: String,
    pub found_at: DateTime<Utc>,
}

/// The lost commits that were found last, newest first.
pub async fn lost_commits(
    connection: &mut PgConnection,
    limit: i64,
) -> Result<Vec<RecordedLoss>, Error> {
    let recorded = sqlx::query_as!(
        RecordedLoss,
        r#"
        select aggregate, key, last, seen, subscriber, found_at
        from messaging.lost_commit
        order by found_at desc, aggregate, key, seen
        limit $1
        "#,
        limit,
    );
    Ok(recorded.fetch_all(connection).await?)
}
