//! Two versions of an event, handled by the same code.

use std::{
    borrow::{Borrow, Cow},
    marker::PhantomData,
};

use envelope::{Event, FullState, Upcast};
use messaging::{Batch, Failure, Handler, OnReject, Subscription, Topology, Transaction};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::harness::{Harness, Rested, Stepped, count};

/// A step with a width; old steps have width 1.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct SteppedV2 {
    pub(crate) walk: String,
    pub(crate) number: i64,
    pub(crate) width: i64,
}

impl Event for SteppedV2 {
    const TYPE: &'static str = "walk.stepped.v2";
    const AGGREGATE: &'static str = Stepped::AGGREGATE;

    fn key(&self) -> Cow<'_, str> {
        self.walk.as_str().into()
    }
}

impl FullState for SteppedV2 {}

impl From<&Stepped> for SteppedV2 {
    fn from(old: &Stepped) -> Self {
        Self { walk: old.walk.clone(), number: old.number, width: 1 }
    }
}

/// Records number times width of each event that borrows as [`SteppedV2`].
struct RecordWidth<E>(PhantomData<E>);

impl<E: Event + Borrow<SteppedV2>> Handler for RecordWidth<E> {
    type Event = E;

    async fn handle(&self, tx: &mut Transaction, batch: &mut Batch<E>) -> Result<(), Failure> {
        for delivered in batch.delivered() {
            let step: &SteppedV2 = delivered.event.borrow();
            record(tx, &step.walk, step.number * step.width, delivered.sequence).await?;
        }
        Ok(())
    }
}

/// Records number times width.
pub(crate) fn record_width() -> impl Handler<Event = SteppedV2> {
    RecordWidth(PhantomData)
}

/// The consumer of the first version, which does not know the width.
pub(crate) fn old_program() -> Topology {
    let subscription = Subscription::to(Stepped::AGGREGATE, ["publisher"], OnReject::BlockKey);
    Topology::new("consumer").subscribes(subscription.on(RecordEffects).ignores::<Rested>())
}

/// The consumer of the second version, which reads both versions of the event.
pub(crate) fn new_program() -> Topology {
    let subscription = Subscription::to(Stepped::AGGREGATE, ["publisher"], OnReject::BlockKey)
        .on(RecordWidth::<SteppedV2>(PhantomData))
        .on(RecordWidth::<Upcast<Stepped, SteppedV2>>(PhantomData))
        .ignores::<Rested>();
    Topology::new("consumer").subscribes(subscription)
}

/// Records the number; does not know the width.
pub(crate) struct RecordEffects;

impl Handler for RecordEffects {
    type Event = Stepped;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<Stepped>,
    ) -> Result<(), Failure> {
        for delivered in batch.delivered() {
            record(tx, &delivered.event.walk, delivered.event.number, delivered.sequence).await?;
        }
        Ok(())
    }
}

async fn record(
    tx: &mut Transaction,
    walk: &str,
    number: i64,
    sequence: i64,
) -> Result<(), Failure> {
    let _: i64 = sqlx::query_scalar(
        "insert into effect (walk, number, sequence) values ($1, $2, $3) returning place",
    )
    .bind(walk)
    .bind(number)
    .bind(sequence)
    .fetch_one(&mut **tx)
    .await?;
    Ok(())
}

#[tokio::test]
async fn an_old_version_is_read_as_the_new_one_in_order() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let program = new_program();
    assert_eq!(program.subscriptions()[0].handled(), ["walk.stepped.v1", "walk.stepped.v2"]);
    let consumer = harness.start_consumer_as(program);
    let publisher = harness.start_publisher();
    let mut tx = harness.publisher.begin().await.unwrap();
    let walk = "mixed".to_owned();
    for number in 1..=3 {
        tx.emit(&Stepped { walk: walk.clone(), number }).unwrap();
        tx.emit(&SteppedV2 { walk: walk.clone(), number, width: 10 }).unwrap();
    }
    tx.commit().await.unwrap();
    harness.wait_for_effects(&walk, &[1, 10, 2, 20, 3, 30]).await;
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

/// Per walk.
const STEPS: i64 = 120;

/// First the consumers are upgraded, one process after the other, then the publishers. An old consumer would park events of the new
/// version.
#[tokio::test]
async fn a_rolling_upgrade_to_a_new_version_loses_nothing() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let walks: Vec<String> = (0..20).map(|walk| format!("walk-{walk}")).collect();
    let publish = |steps: std::ops::RangeInclusive<i64>, is_new: bool| {
        let (publisher, walks) = (harness.publisher.clone(), walks.clone());
        async move {
            for number in steps {
                let mut tx = publisher.begin().await.unwrap();
                for walk in walks.clone() {
                    if is_new {
                        tx.emit(&SteppedV2 { walk, number, width: 1 }).unwrap();
                    } else {
                        tx.emit(&Stepped { walk, number }).unwrap();
                    }
                }
                tx.commit().await.unwrap();
            }
        }
    };
    let first_relay = harness.start_publisher();
    let [first, second] = [old_program(), old_program()].map(|one| harness.start_consumer_as(one));
    publish(1..=STEPS / 6, false).await;
    let third = harness.start_consumer_as(new_program());
    let stop_old = async {
        first.shut_down().await;
        second.shut_down().await;
    };
    tokio::join!(publish(STEPS / 6 + 1..=STEPS / 3, false), stop_old);
    let fourth = harness.start_consumer_as(new_program());
    let second_relay = harness.start_publisher();
    // Old and new publishers alternate.
    let middle = STEPS / 3 + 1..=2 * STEPS / 3;
    for number in middle {
        publish(number..=number, number % 2 == 0).await;
    }
    tokio::join!(publish(2 * STEPS / 3 + 1..=STEPS, true), first_relay.shut_down());
    harness.wait_for_total(STEPS * 20).await;
    harness.assert_effects(&walks, STEPS).await;
    assert_eq!(count(harness.consumer.pool(), "messaging.dead_letter").await, 0);
    harness.assert_drained().await;
    for running in [second_relay, third, fourth] {
        running.shut_down().await;
    }
}
