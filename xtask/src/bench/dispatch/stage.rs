//! Two services: `speaker` says that items have changed, `listener` needs a fixed time for each.

use std::{
    borrow::Cow,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use contracts::{Event, FullState, Priority, Slot};
use messaging::{
    Batch, BatchSize, Dispatch, Failure as HandlerFailure, Handler, Kit, MIGRATOR, Messaging,
    SLOT_GROUPS, Subscription, Topology, Transaction,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use testkit::{Database, Vhost};
use tokio::sync::Notify;

use crate::{
    bench::services::{NOTE, Running, connect, wait_until_said},
    failure::Failure,
};

/// How long a bench may wait for its last effect.
const DEADLINE: Duration = Duration::from_mins(3);

/// An item has changed.
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

/// Says that item `number` has changed. Each is changed once, and all are of the first slot group, which one server works on.
pub(super) fn say(
    tx: &mut Transaction,
    number: usize,
    is_small: bool,
) -> Result<(), messaging::Error> {
    let named = (0..).map(|salt| format!("item-{number}-{salt}"));
    let mut ours = named.filter(|item| Slot::of(item).number().is_multiple_of(SLOT_GROUPS));
    let item = ours.next().unwrap_or_default();
    tx.prioritise(if is_small { Priority::Normal } else { Priority::Bulk });
    tx.emit(&ItemChanged { item, number, note: NOTE.to_owned() }).map(drop)
}

/// Sees which effects have been committed, and when.
#[derive(Debug, Default)]
pub(super) struct Witness {
    seen: Mutex<Vec<(usize, Instant)>>,
    more: Notify,
}

impl Witness {
    /// Waits until there are `wanted` effects, and tells them in their order.
    pub(super) async fn wait_for(&self, wanted: usize) -> Result<Vec<(usize, Instant)>, Failure> {
        let waiting = async {
            loop {
                if let Ok(seen) = self.seen.lock()
                    && seen.len() >= wanted
                {
                    return seen.clone();
                }
                self.more.notified().await;
            }
        };
        let late = |_| Failure::Late("all events have taken effect");
        tokio::time::timeout(DEADLINE, waiting).await.map_err(late)
    }
}

/// Needs a fixed time for each event, and writes it down.
struct Work {
    per_event: Duration,
    witness: Arc<Witness>,
}

impl Handler for Work {
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
        // A doubled effect breaks the table's key.
        sqlx::query("insert into effect (item) select unnest($1::text[])")
            .bind(items)
            .execute(&mut **tx)
            .await?;
        let witness = self.witness.clone();
        tx.after_commit(move || {
            let now = Instant::now();
            if let Ok(mut seen) = witness.seen.lock() {
                seen.extend(numbers.into_iter().map(|number| (number, now)));
            }
            witness.more.notify_one();
        });
        Ok(())
    }
}

/// The two services; the speaker's relay runs.
pub(super) struct Stage {
    pub(super) speaker: Kit,
    pub(super) witness: Arc<Witness>,
    listener: Kit,
    topology: Topology,
    vhost: Vhost,
    speaking: Running,
    /// Dropped last, with what is in them.
    _databases: [Database; 2],
}

impl Stage {
    /// Both services: the listener takes its events in this order and so many at once, and needs so long for each.
    pub(super) async fn open(
        dispatch: Dispatch,
        batch: BatchSize,
        per_event: Duration,
    ) -> Result<Self, Failure> {
        let vhost = Vhost::create().await?;
        let databases =
            [Database::migrated(&[&MIGRATOR]).await?, Database::migrated(&[&MIGRATOR]).await?];
        let [speaker, listener] = &databases;
        listener.run("create table effect (item text primary key)").await?;
        let witness = Arc::new(Witness::default());
        let heard = Subscription::to_state(ItemChanged::AGGREGATE, ["speaker"])
            .dispatch(dispatch)
            .batch(batch)
            .on(Work { per_event, witness: witness.clone() });
        let topology = Topology::of("listener").hears(heard);
        let speaks = Topology::of("speaker").says::<ItemChanged>();
        for topology in [&speaks, &topology] {
            messaging::declare(vhost.url(), topology).await?;
        }
        let speaker = Kit::new(connect(speaker).await?);
        let messaging = Messaging::new(speaker.clone(), vhost.url(), speaks);
        Ok(Self {
            speaker,
            witness,
            listener: Kit::new(connect(listener).await?),
            topology,
            vhost,
            speaking: Running::start(|stop| messaging.relay(stop)),
            _databases: databases,
        })
    }

    /// Starts the listener.
    pub(super) fn listen(&self) -> Running {
        let topology = self.topology.clone();
        let messaging = Messaging::new(self.listener.clone(), self.vhost.url(), topology);
        Running::start(|stop| messaging.consume(stop))
    }

    /// Says `events` bulk events in sets, numbered from 0, and waits until they are with the broker.
    pub(super) async fn pile_up(&self, events: usize) -> Result<(), Failure> {
        let numbers: Vec<usize> = (0..events).collect();
        for set in numbers.chunks(100) {
            let mut tx = self.speaker.begin().await?;
            for number in set {
                say(&mut tx, *number, false)?;
            }
            tx.commit().await?;
        }
        wait_until_said(&self.speaker, DEADLINE).await
    }

    /// Ends both.
    pub(super) async fn close(self, listening: Running) {
        listening.stop().await;
        self.speaking.stop().await;
    }
}
