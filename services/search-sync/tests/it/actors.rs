//! The services around search, as far as search needs them.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use contracts::{Event, Priority};
use messaging::{Batch, Failure, Handler, Kit, Messaging, Topology, Transaction};
use runtime::Lifecycle;
use sqlx::PgPool;
use testkit::{Database, Vhost, wait_for};

use crate::suite::PATIENCE;

/// What was heard of one type, in the order in which it was heard.
#[derive(Debug)]
pub struct Heard<E>(Arc<Mutex<Vec<E>>>);

impl<E> Clone for Heard<E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<E: Clone> Heard<E> {
    pub fn new() -> Self {
        Self(Arc::default())
    }

    /// All of it, so far.
    pub fn all(&self) -> Vec<E> {
        self.0.lock().unwrap().clone()
    }
}

impl<E: Event + Clone> Handler for Heard<E> {
    type Event = E;

    async fn handle(&self, _: &mut Transaction, batch: &mut Batch<E>) -> Result<(), Failure> {
        let events = batch.delivered().iter().map(|one| one.event.clone());
        self.0.lock().unwrap().extend(events);
        Ok(())
    }
}

/// A service that is played by the test.
#[derive(Debug)]
pub struct Actor {
    kit: Kit,
    _database: Database,
}

impl Actor {
    pub async fn enter(lifecycle: &Lifecycle, vhost: &Vhost, topology: Topology) -> Self {
        let database = Database::migrated(&[&messaging::MIGRATOR]).await.unwrap();
        let kit = Kit::new(database.connect().await.unwrap());
        messaging::declare(vhost.url(), &topology).await.unwrap();
        run(lifecycle, &Messaging::new(kit.clone(), vhost.url(), topology));
        Self { kit, _database: database }
    }

    /// Says one event.
    pub async fn say(&self, event: &impl Event) {
        self.say_all(std::slice::from_ref(event)).await;
    }

    /// Says events in one transaction.
    pub async fn say_all<E: Event>(&self, events: &[E]) {
        self.say_as(Priority::Normal, events).await;
    }

    /// Says events in one transaction, as a part of bulk work.
    pub async fn say_bulk<E: Event>(&self, events: &[E]) {
        self.say_as(Priority::Bulk, events).await;
    }

    async fn say_as<E: Event>(&self, priority: Priority, events: &[E]) {
        let mut tx = self.kit.begin().await.unwrap();
        tx.prioritise(priority);
        for event in events {
            tx.emit(event).unwrap();
        }
        tx.commit().await.unwrap();
    }

    /// Sends `data` as if it were the event number `sequence` of its key.
    pub async fn say_raw<E: Event>(&self, key: &str, sequence: i64, data: &str) {
        sqlx::query_scalar::<_, i64>(
            "insert into messaging.outbox (event_id, kind, aggregate, key, slot, seq, time, data)
             values ($1, $2, $3, $4, $5, $6, now(), $7) returning id",
        )
        .bind(uuid::Uuid::now_v7())
        .bind(E::TYPE)
        .bind(E::AGGREGATE)
        .bind(key)
        .bind(i16::from(contracts::Slot::of(key).number()))
        .bind(sequence)
        .bind(data)
        .fetch_one(self.kit.pool())
        .await
        .unwrap();
    }

    /// Waits until everything that was said is with the broker.
    pub async fn has_said_everything(&self) {
        outbox_is_empty(self.kit.pool()).await;
    }
}

/// Starts relay and consumers under `lifecycle`.
pub fn run(lifecycle: &Lifecycle, messaging: &Messaging) {
    let (relay, consumers) = (messaging.clone(), messaging.clone());
    let (stop, soft) = (lifecycle.soft(), lifecycle.soft());
    lifecycle.spawn("relay", async move {
        relay.relay(stop).await;
        Ok::<_, Infallible>(())
    });
    lifecycle.spawn("consumers", async move {
        consumers.consume(soft).await;
        Ok::<_, Infallible>(())
    });
}

pub async fn outbox_is_empty(pool: &PgPool) {
    wait_for("the outbox is empty", PATIENCE, async || {
        let waiting =
            sqlx::query_scalar("select count(*) from messaging.outbox").fetch_one(pool).await;
        match waiting.map_err(|error| error.to_string())? {
            0_i64 => Ok(()),
            waiting => Err(format!("{waiting} wait")),
        }
    })
    .await
    .unwrap();
}
