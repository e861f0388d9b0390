//! The textbook outbox, for comparison. The relay polls every second and publishes one message at a time: it
//! waits for the confirm, then deletes the row in a transaction of its own. The consumer runs one transaction
//! per message, with an inbox table of message ids.

use std::time::{Duration, Instant};

use futures::StreamExt as _;
use lapin::{
    BasicProperties, Channel,
    options::{BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions},
    types::FieldTable,
};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use sqlx::PgPool;
use suite::median_ms;
use testkit::{Database, Vhost};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::baseline::BrokerConnections;
use crate::{error::Error, statistics::rate};

const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Rows per poll.
const BATCH_SIZE: i64 = 1_000;

/// The number of events of the throughput run.
const EVENTS: u64 = 3_000;

/// The number of single events of the latency run.
const SINGLES: u32 = 15;

const QUEUE: &str = "polling";

pub(super) struct Polling {
    pub(super) events_per_second: f64,
    pub(super) latency_p50_ms: f64,
}

/// Runs relay and consumer while both figures are measured.
pub(super) async fn measure() -> Result<Polling, Error> {
    let (vhost, publisher, subscriber) =
        (Vhost::create().await?, Database::create().await?, Database::create().await?);
    publisher.run("create table outbox (place bigserial primary key, id uuid not null, data text not null)").await?;
    subscriber
        .run("create table inbox (id uuid primary key); create table effect (id uuid primary key)")
        .await?;
    let (publisher, subscriber) = (publisher.connect().await?, subscriber.connect().await?);
    let BrokerConnections {
        publisher_connection,
        consumer_connection,
        publish_channel,
        consume_channel,
    } = BrokerConnections::open(&vhost, QUEUE).await?;

    let mut running = JoinSet::new();
    running.spawn(relay(publisher.clone(), publish_channel));
    running.spawn(consume(subscriber.clone(), consume_channel));
    let measured = tokio::select! {
        measured = measure_running(&publisher, &subscriber) => measured,
        Some(ended) = running.join_next() => match ended {
            Ok(Err(error)) => Err(error),
            Ok(Ok(())) | Err(_) => Err(Error::Timeout("relay and consumer run until the end")),
        },
    };
    running.shutdown().await;
    for connection in [publisher_connection, consumer_connection] {
        // The task that used it was aborted: an error is expected.
        let _ = connection.close(200, "done".into()).await;
    }
    measured
}

async fn measure_running(publisher: &PgPool, subscriber: &PgPool) -> Result<Polling, Error> {
    let (mut latencies, mut rng) = (Vec::new(), StdRng::seed_from_u64(0));
    for done in 0..SINGLES {
        // At a random time within the poll interval.
        tokio::time::sleep(POLL_INTERVAL.mul_f64(rng.random_range(0.0..1.0))).await;
        write(publisher, 1).await?;
        let committed = Instant::now();
        wait_for_effects(subscriber, u64::from(done) + 1).await?;
        latencies.push(committed.elapsed());
    }
    write(publisher, EVENTS).await?;
    let started = Instant::now();
    wait_for_effects(subscriber, u64::from(SINGLES) + EVENTS).await?;
    let events_per_second = rate(EVENTS, started.elapsed());
    Ok(Polling { events_per_second, latency_p50_ms: median_ms(&mut latencies) })
}

async fn write(publisher: &PgPool, number: u64) -> Result<(), Error> {
    let ids: Vec<Uuid> = (0..number).map(|_| Uuid::now_v7()).collect();
    sqlx::query("insert into outbox (id, data) select id, $2 from unnest($1::uuid[]) as id")
        .bind(ids)
        .bind("x".repeat(512))
        .execute(publisher)
        .await?;
    Ok(())
}

async fn wait_for_effects(subscriber: &PgPool, wanted: u64) -> Result<(), Error> {
    let wanted = i64::try_from(wanted).unwrap_or(i64::MAX);
    testkit::wait_for("all effects are committed", Duration::from_mins(1), async || {
        let seen: Result<i64, _> =
            sqlx::query_scalar("select count(*) from effect").fetch_one(subscriber).await;
        match seen {
            Ok(seen) if seen >= wanted => Ok(()),
            Ok(seen) => Err(format!("{seen} of {wanted}")),
            Err(error) => Err(error.to_string()),
        }
    })
    .await?;
    Ok(())
}

async fn relay(publisher: PgPool, channel: Channel) -> Result<(), Error> {
    const PERSISTENT: u8 = 2;
    loop {
        let rows: Vec<(i64, Uuid, String)> =
            sqlx::query_as("select place, id, data from outbox order by place limit $1")
                .bind(BATCH_SIZE)
                .fetch_all(&publisher)
                .await?;
        let full = i64::try_from(rows.len()) == Ok(BATCH_SIZE);
        for (place, id, data) in rows {
            let properties = BasicProperties::default()
                .with_delivery_mode(PERSISTENT)
                .with_message_id(id.to_string().into());
            let options = BasicPublishOptions::default();
            let sent = channel.basic_publish(
                "".into(),
                QUEUE.into(),
                options,
                data.as_bytes(),
                properties,
            );
            sent.await?.await?;
            sqlx::query("delete from outbox where place = $1")
                .bind(place)
                .execute(&publisher)
                .await?;
        }
        if !full {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
}

async fn consume(subscriber: PgPool, channel: Channel) -> Result<(), Error> {
    channel.basic_qos(1, BasicQosOptions::default()).await?;
    let options = BasicConsumeOptions::default();
    let consumer = channel.basic_consume(QUEUE.into(), "".into(), options, FieldTable::default());
    let mut consumer = consumer.await?;
    while let Some(delivery) = consumer.next().await {
        let delivery = delivery?;
        let id = delivery.properties.message_id().as_ref().and_then(|id| id.as_str().parse().ok());
        let Some(id): Option<Uuid> = id else { continue };
        let mut tx = subscriber.begin().await?;
        let fresh = sqlx::query("insert into inbox (id) values ($1) on conflict do nothing")
            .bind(id)
            .execute(&mut *tx)
            .await?;
        if fresh.rows_affected() == 1 {
            sqlx::query("insert into effect (id) values ($1)").bind(id).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        delivery.acker.ack(BasicAckOptions::default()).await?;
    }
    Ok(())
}
