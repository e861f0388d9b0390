//! The textbook way, for comparison: an outbox that is looked at each second, one message at a time, each confirmed and then
//! marked in a transaction of its own; on the other side one transaction for each message, with the id of the message in a
//! table against doubles.

use std::time::{Duration, Instant};

use futures::StreamExt as _;
use lapin::{
    BasicProperties, Channel,
    options::{BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions},
    types::FieldTable,
};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use sqlx::PgPool;
use testkit::{Database, Vhost};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{rate, raw::Bare};
use crate::{bench::figures::median_ms, failure::Failure};

/// How often the outbox is looked at.
const EVERY: Duration = Duration::from_secs(1);

/// How many rows one look takes.
const LOOK: i64 = 1_000;

/// How many events the rate is measured with.
const EVENTS: u64 = 3_000;

/// How many single events the latency is measured with.
const SINGLES: u32 = 15;

const QUEUE: &str = "polling";

/// What was measured.
pub(super) struct Polling {
    pub(super) events_per_second: f64,
    pub(super) latency_p50_ms: f64,
}

/// Runs both halves for as long as it takes.
pub(super) async fn measure() -> Result<Polling, Failure> {
    let (vhost, speaker, listener) =
        (Vhost::create().await?, Database::create().await?, Database::create().await?);
    speaker.run("create table outbox (place bigserial primary key, id uuid not null, data text not null)").await?;
    listener
        .run("create table inbox (id uuid primary key); create table effect (id uuid primary key)")
        .await?;
    let (speaker, listener) = (speaker.connect().await?, listener.connect().await?);
    let Bare { publishing, consuming, publisher, taker } = Bare::open(&vhost, QUEUE).await?;

    let mut running = JoinSet::new();
    running.spawn(relay(speaker.clone(), publisher));
    running.spawn(consume(listener.clone(), taker));
    let measured = tokio::select! {
        measured = measure_running(&speaker, &listener) => measured,
        Some(ended) = running.join_next() => match ended {
            Ok(Err(failure)) => Err(failure),
            Ok(Ok(())) | Err(_) => Err(Failure::Late("the bench is over")),
        },
    };
    running.shutdown().await;
    for connection in [publishing, consuming] {
        // Whoever used it was stopped in the middle, so it need not go well.
        let _ = connection.close(200, "done".into()).await;
    }
    measured
}

async fn measure_running(speaker: &PgPool, listener: &PgPool) -> Result<Polling, Failure> {
    let (mut latencies, mut rng) = (Vec::new(), StdRng::seed_from_u64(0));
    for seen in 0..SINGLES {
        // At no particular time within the pause of the relay.
        tokio::time::sleep(EVERY.mul_f64(rng.random_range(0.0..1.0))).await;
        write(speaker, 1).await?;
        let committed = Instant::now();
        wait_for_effects(listener, u64::from(seen) + 1).await?;
        latencies.push(committed.elapsed());
    }
    write(speaker, EVENTS).await?;
    let began = Instant::now();
    wait_for_effects(listener, u64::from(SINGLES) + EVENTS).await?;
    let events_per_second = rate(EVENTS, began.elapsed());
    Ok(Polling { events_per_second, latency_p50_ms: median_ms(&mut latencies) })
}

async fn write(speaker: &PgPool, number: u64) -> Result<(), Failure> {
    let ids: Vec<Uuid> = (0..number).map(|_| Uuid::now_v7()).collect();
    sqlx::query("insert into outbox (id, data) select id, $2 from unnest($1::uuid[]) as id")
        .bind(ids)
        .bind("x".repeat(512))
        .execute(speaker)
        .await?;
    Ok(())
}

async fn wait_for_effects(listener: &PgPool, wanted: u64) -> Result<(), Failure> {
    let wanted = i64::try_from(wanted).unwrap_or(i64::MAX);
    testkit::wait_for("the effects are there", Duration::from_mins(1), async || {
        let seen: Result<i64, _> =
            sqlx::query_scalar("select count(*) from effect").fetch_one(listener).await;
        match seen {
            Ok(seen) if seen >= wanted => Ok(()),
            Ok(seen) => Err(format!("{seen} of {wanted}")),
            Err(error) => Err(error.to_string()),
        }
    })
    .await?;
    Ok(())
}

async fn relay(speaker: PgPool, channel: Channel) -> Result<(), Failure> {
    const PERSISTENT: u8 = 2;
    loop {
        let rows: Vec<(i64, Uuid, String)> =
            sqlx::query_as("select place, id, data from outbox order by place limit $1")
                .bind(LOOK)
                .fetch_all(&speaker)
                .await?;
        let full = i64::try_from(rows.len()) == Ok(LOOK);
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
                .execute(&speaker)
                .await?;
        }
        if !full {
            tokio::time::sleep(EVERY).await;
        }
    }
}

async fn consume(listener: PgPool, channel: Channel) -> Result<(), Failure> {
    channel.basic_qos(1, BasicQosOptions::default()).await?;
    let options = BasicConsumeOptions::default();
    let consumer = channel.basic_consume(QUEUE.into(), "".into(), options, FieldTable::default());
    let mut consumer = consumer.await?;
    while let Some(delivery) = consumer.next().await {
        let delivery = delivery?;
        let id = delivery.properties.message_id().as_ref().and_then(|id| id.as_str().parse().ok());
        let Some(id): Option<Uuid> = id else { continue };
        let mut tx = listener.begin().await?;
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
