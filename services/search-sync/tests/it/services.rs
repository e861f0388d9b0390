//! The other services, played by the test.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use envelope::{Event, Priority, Slot};
use messaging::{Batch, Failure, Handler, MessagingRuntime, Outbox, Topology, Transaction};
use runtime::Lifecycle;
use sqlx::PgPool;
use testkit::{Database, Vhost, wait_for};

use crate::suite::TIMEOUT;

/// The received events of one type, in order.
#[derive(Debug)]
pub struct Received<E>(Arc<Mutex<Vec<E>>>);

impl<E> Clone for Received<E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<E: Clone> Received<E> {
    pub fn new() -> Self {
        Self(Arc::default())
    }

    pub fn all(&self) -> Vec<E> {
        self.0.lock().unwrap().clone()
    }
}

impl<E: Event + Clone> Handler for Received<E> {
    type Event = E;

    async fn handle(&self, _: &mut Transaction, batch: &mut Batch<E>) -> Result<(), Failure> {
        let events = batch.delivered().iter().map(|one| one.event.clone());
        self.0.lock().unwrap().extend(events);
        Ok(())
    }
}

/// A service that is played by the test.
#[derive(Debug)]
pub struct FakeService {
    outbox: Outbox,
    _database: Database,
}

impl FakeService {
    pub async fn start(lifecycle: &Lifecycle, vhost: &Vhost, topology: Topology) -> Self {
        let database = Database::migrated(&[&messaging::MIGRATOR]).await.unwrap();
        let outbox = Outbox::new(database.connect().await.unwrap());
        messaging::declare(vhost.url(), &topology).await.unwrap();
        run(lifecycle, &MessagingRuntime::new(outbox.clone(), vhost.url(), topology));
        Self { outbox, _database: database }
    }

    pub async fn publish(&self, event: &impl Event) {
        self.publish_all(std::slice::from_ref(event)).await;
    }

    /// Publishes events in one transaction.
    pub async fn publish_all<E: Event>(&self, events: &[E]) {
        self.publish_with(Priority::Normal, events).await;
    }

    /// Publishes events in one transaction, with the priority of an import.
    pub async fn publish_bulk<E: Event>(&self, events: &[E]) {
        self.publish_with(Priority::Bulk, events).await;
    }

    async fn publish_with<E: Event>(&self, priority: Priority, events: &[E]) {
        let mut tx = self.outbox.begin().await.unwrap();
        tx.set_priority(priority);
        for event in events {
            tx.emit(event).unwrap();
        }
        tx.commit().await.unwrap();
    }

    /// Publishes `data`, valid or not, as the event with the number `sequence` of its key.
    pub async fn publish_raw<E: Event>(&self, key: &str, sequence: i64, data: &str) {
        sqlx::query_scalar::<_, i64>(
            "insert into messaging.outbox (event_id, kind, aggregate, key, slot, seq, time, data)
             values ($1, $2, $3, $4, $5, $6, now(), $7) returning id",
        )
        .bind(uuid::Uuid::now_v7())
        .bind(E::TYPE)
        .bind(E::AGGREGATE)
        .bind(key)
        .bind(i16::from(Slot::of(key).number()))
        .bind(sequence)
        .bind(data)
        .fetch_one(self.outbox.pool())
        .await
        .unwrap();
    }

    /// Waits until the broker has confirmed all published events.
    pub async fn wait_published(&self) {
        wait_outbox_empty(self.outbox.pool()).await;
    }
}

/// Runs relay and consumers under `lifecycle`.
pub fn run(lifecycle: &Lifecycle, messaging: &MessagingRuntime) {
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

pub async fn wait_outbox_empty(pool: &PgPool) {
    wait_for("the outbox is empty", TIMEOUT, async || {
        let waiting =
            sqlx::query_scalar("select count(*) from messaging.outbox").fetch_one(pool).await;
        match waiting.map_err(|error| error.to_string())? {
            0_i64 => Ok(()),
            waiting => Err(format!("{waiting} events are waiting")),
        }
    })
    .await
    .unwrap();
}
