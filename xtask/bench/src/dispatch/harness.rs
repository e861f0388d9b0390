//! Two services: `publisher` emits changes of items, `consumer` has a fixed service time per event.

use std::{
    borrow::Cow,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use envelope::{Event, FullState, Priority, Slot};
use messaging::{
    Batch, BatchSize, DEFAULT_SLOT_GROUPS, Dispatch, Failure as HandlerFailure, Handler, MIGRATOR,
    MessagingRuntime, Outbox, Subscription, Topology, Transaction,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use testkit::{Database, Vhost};
use tokio::sync::Notify;

use crate::{
    error::Error,
    services::{PADDING, RunningTask, connect, wait_until_outbox_is_empty},
};

/// Timeout until the last effect.
const TIMEOUT: Duration = Duration::from_mins(3);

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
struct ItemChanged {
    item: String,
    number: usize,
    note: String,
}

impl Event for ItemChanged {
    const TYPE: &'static str = "item.changed.v1";
    const AGGREGATE: &'static str = "item";

    fn key(&self) -> Cow<'_, str> {
        self.item.as_str().into()
    }
}

impl FullState for ItemChanged {}

/// Emits the change of item `number`. Each item changes once. All belong to the first slot group, which has
/// one consumer.
pub(super) fn emit_change(
    tx: &mut Transaction,
    number: usize,
    is_small: bool,
) -> Result<(), messaging::Error> {
    let candidates = (0..).map(|salt| format!("item-{number}-{salt}"));
    let mut in_group =
        candidates.filter(|item| Slot::of(item).number().is_multiple_of(DEFAULT_SLOT_GROUPS));
    let item = in_group.next().unwrap_or_default();
    tx.set_priority(if is_small { Priority::Normal } else { Priority::Bulk });
    tx.emit(&ItemChanged { item, number, note: PADDING.to_owned() }).map(drop)
}

/// Records committed effects and their times.
#[derive(Debug, Default)]
pub(super) struct EffectLog {
    committed: Mutex<Vec<(usize, Instant)>>,
    changed: Notify,
}

impl EffectLog {
    /// Waits for `wanted` effects and returns them in commit order.
    pub(super) async fn wait_for(&self, wanted: usize) -> Result<Vec<(usize, Instant)>, Error> {
        let waiting = async {
            loop {
                if let Ok(committed) = self.committed.lock()
                    && committed.len() >= wanted
                {
                    return committed.clone();
                }
                self.changed.notified().await;
            }
        };
        let late = |_| Error::Timeout("all events have taken effect");
        tokio::time::timeout(TIMEOUT, waiting).await.map_err(late)
    }
}

/// Has a fixed service time per event, and inserts each event.
struct TimedHandler {
    per_event: Duration,
    effects: Arc<EffectLog>,
}

impl Handler for TimedHandler {
    type Event = ItemChanged;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<ItemChanged>,
    ) -> Result<(), HandlerFailure> {
        let numbers: Vec<usize> = batch.delivered().iter().map(|one| one.event.number).collect();
        let items: Vec<String> =
            batch.delivered().iter().map(|one| one.event.item.clone()).collect();
        tokio::time::sleep(self.per_event * u32::try_from(numbers.len()).unwrap_or(u32::MAX)).await;
        // A duplicate effect violates the primary key.
        sqlx::query("insert into effect (item) select unnest($1::text[])")
            .bind(items)
            .execute(&mut **tx)
            .await?;
        let effects = self.effects.clone();
        tx.after_commit(move || {
            let now = Instant::now();
            if let Ok(mut committed) = effects.committed.lock() {
                committed.extend(numbers.into_iter().map(|number| (number, now)));
            }
            effects.changed.notify_one();
        });
        Ok(())
    }
}

/// The two services; the publisher's relay is running.
pub(super) struct Harness {
    pub(super) publisher: Outbox,
    pub(super) effects: Arc<EffectLog>,
    consumer: Outbox,
    topology: Topology,
    vhost: Vhost,
    relay: RunningTask,
    /// Dropped last: the pools use them.
    _databases: [Database; 2],
}

impl Harness {
    /// Creates both services; the consumer uses this dispatch order, batch size and service time.
    pub(super) async fn open(
        dispatch: Dispatch,
        batch: BatchSize,
        per_event: Duration,
    ) -> Result<Self, Error> {
        let vhost = Vhost::create().await?;
        let databases =
            [Database::migrated(&[&MIGRATOR]).await?, Database::migrated(&[&MIGRATOR]).await?];
        let [publisher, consumer] = &databases;
        consumer.run("create table effect (item text primary key)").await?;
        let effects = Arc::new(EffectLog::default());
        let subscription = Subscription::to_state(ItemChanged::AGGREGATE, ["publisher"])
            .dispatch(dispatch)
            .batch(batch)
            .on(TimedHandler { per_event, effects: effects.clone() });
        let topology = Topology::new("consumer").subscribes(subscription);
        let published = Topology::new("publisher").publishes::<ItemChanged>();
        for topology in [&published, &topology] {
            messaging::declare(vhost.url(), topology).await?;
        }
        let publisher = Outbox::new(connect(publisher).await?);
        let messaging = MessagingRuntime::new(publisher.clone(), vhost.url(), published);
        Ok(Self {
            publisher,
            effects,
            consumer: Outbox::new(connect(consumer).await?),
            topology,
            vhost,
            relay: RunningTask::start(|stop| messaging.relay(stop)),
            _databases: databases,
        })
    }

    /// Starts the consumer.
    pub(super) fn start_consumer(&self) -> RunningTask {
        let topology = self.topology.clone();
        let messaging = MessagingRuntime::new(self.consumer.clone(), self.vhost.url(), topology);
        RunningTask::start(|stop| messaging.consume(stop))
    }

    /// Publishes `events` bulk events, numbered from 0, and waits until the broker has confirmed them.
    pub(super) async fn fill_queue(&self, events: usize) -> Result<(), Error> {
        let numbers: Vec<usize> = (0..events).collect();
        for batch in numbers.chunks(100) {
            let mut tx = self.publisher.begin().await?;
            for number in batch {
                emit_change(&mut tx, *number, false)?;
            }
            tx.commit().await?;
        }
        wait_until_outbox_is_empty(&self.publisher, TIMEOUT).await
    }

    /// Stops both services.
    pub(super) async fn close(self, consumer_task: RunningTask) {
        consumer_task.stop().await;
        self.relay.stop().await;
    }
}
