//! A service that the test plays.

use envelope::{Event, Priority, Slot};
use messaging::{MessagingRuntime, Outbox, Signatures, Topology};
use runtime::Lifecycle;
use testkit::{Database, Vhost};
use uuid::Uuid;

use crate::{database::wait_until_published, messaging_tasks::run_messaging};

/// Another service, played by the test: it has a database of its own and the real kit.
#[derive(Debug)]
pub struct ServiceDouble {
    outbox: Outbox,
    database: Database,
}

impl ServiceDouble {
    /// Declares `topology`, and runs its relay and consumers as tasks of `lifecycle`.
    pub async fn start(lifecycle: &Lifecycle, vhost: &Vhost, topology: Topology) -> Self {
        Self::start_signing(lifecycle, vhost, topology, Signatures::none()).await
    }

    /// The same, with keys of messages.
    pub async fn start_signing(
        lifecycle: &Lifecycle,
        vhost: &Vhost,
        topology: Topology,
        signatures: Signatures,
    ) -> Self {
        let database = Database::migrated(&[&messaging::MIGRATOR]).await.unwrap();
        let outbox = Outbox::new(database.connect().await.unwrap()).with_signatures(signatures);
        messaging::declare(vhost.url(), &topology).await.unwrap();
        run_messaging(lifecycle, &MessagingRuntime::new(outbox.clone(), vhost.url(), topology));
        Self { outbox, database }
    }

    /// The service's outbox and, through it, its pool.
    pub const fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// The service's database.
    pub const fn database(&self) -> &Database {
        &self.database
    }

    /// Publishes an event.
    pub async fn publish(&self, event: &impl Event) {
        self.publish_all(std::slice::from_ref(event)).await;
    }

    /// Publishes events in one transaction.
    pub async fn publish_all<E: Event>(&self, events: &[E]) {
        self.publish_with(Priority::Normal, events).await;
    }

    /// Publishes events in one transaction with a priority.
    pub async fn publish_with<E: Event>(&self, priority: Priority, events: &[E]) {
        let mut tx = self.outbox.begin().await.unwrap();
        tx.set_priority(priority);
        for event in events {
            tx.emit(event).unwrap();
        }
        tx.commit().await.unwrap();
    }

    /// Publishes `event` again under its old sequence number, as a broker redelivers after a lost acknowledgement.
    pub async fn redeliver<E: Event>(&self, event: &E, sequence: i64) {
        let data = serde_json::to_string(event).unwrap();
        self.publish_raw::<E>(&event.key(), sequence, &data).await;
    }

    /// Publishes `data`, readable or not, as the event number `sequence` of its key.
    pub async fn publish_raw<E: Event>(&self, key: &str, sequence: i64, data: &str) {
        sqlx::query_scalar::<_, i64>(
            "insert into messaging.outbox (event_id, kind, aggregate, key, slot, seq, time, data)
             values ($1, $2, $3, $4, $5, $6, now(), $7) returning id",
        )
        .bind(Uuid::now_v7())
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

    /// Waits until the broker has confirmed everything.
    pub async fn wait_until_published(&self) {
        wait_until_published(self.outbox.pool()).await;
    }
}
