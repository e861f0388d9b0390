//! Two versions of an event, handled by the same code.

use std::{
    borrow::{Borrow, Cow},
    marker::PhantomData,
};

use envelope::{Event, Upcast};
use messaging::{Batch, Failure, Handler, OnReject, Subscription, Topology, Transaction};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::shop::{Shop, Stepped, count};

/// A step, and how wide it was; those of the version before were one wide.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
struct SteppedV2 {
    walk: String,
    number: i64,
    width: i64,
}

impl Event for SteppedV2 {
    const TYPE: &'static str = "walk.stepped.v2";
    const AGGREGATE: &'static str = Stepped::AGGREGATE;

    fn key(&self) -> Cow<'_, str> {
        self.walk.as_str().into()
    }
}

impl From<&Stepped> for SteppedV2 {
    fn from(old: &Stepped) -> Self {
        Self { walk: old.walk.clone(), number: old.number, width: 1 }
    }
}

/// Writes down number times width of whatever can be read as a [`SteppedV2`].
struct WriteWidth<E>(PhantomData<E>);

impl<E: Event + Borrow<SteppedV2>> Handler for WriteWidth<E> {
    type Event = E;

    async fn handle(&self, tx: &mut Transaction, batch: &mut Batch<E>) -> Result<(), Failure> {
        for delivered in batch.delivered() {
            let step: &SteppedV2 = delivered.event.borrow();
            write(tx, &step.walk, step.number * step.width, delivered.sequence).await?;
        }
        Ok(())
    }
}

/// Writes down the number, and knows nothing of widths.
struct WriteDown;

impl Handler for WriteDown {
    type Event = Stepped;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<Stepped>,
    ) -> Result<(), Failure> {
        for delivered in batch.delivered() {
            write(tx, &delivered.event.walk, delivered.event.number, delivered.sequence).await?;
        }
        Ok(())
    }
}

async fn write(
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
async fn an_old_version_is_read_as_the_new_one_in_its_place() {
    let shop = Shop::open(OnReject::BlockKey).await;
    let subscription = Subscription::to(Stepped::AGGREGATE, ["speaker"], OnReject::BlockKey)
        .on(WriteWidth::<SteppedV2>(PhantomData))
        .on(WriteWidth::<Upcast<Stepped, SteppedV2>>(PhantomData));
    assert_eq!(subscription.handled(), ["walk.stepped.v1", "walk.stepped.v2"]);
    let listener = shop.start_listener_as(Topology::of("listener").hears(subscription));
    let speaker = shop.start_speaker();
    let mut tx = shop.speaker.begin().await.unwrap();
    let walk = "mixed".to_owned();
    for number in 1..=3 {
        tx.emit(&Stepped { walk: walk.clone(), number }).unwrap();
        tx.emit(&SteppedV2 { walk: walk.clone(), number, width: 10 }).unwrap();
    }
    tx.commit().await.unwrap();
    shop.wait_for_effects(&walk, &[1, 10, 2, 20, 3, 30]).await;
    shop.assert_at_rest().await;
    speaker.shut_down().await;
    listener.shut_down().await;
}

/// How many steps are said of each walk while old and new processes take turns.
const STEPS: i64 = 120;

/// The upgrade of a running system: first the listeners learn the new version, one process after the other, then the speakers say
/// it, one process after the other (R17). An old listener would take the new version for one that is not its business.
#[tokio::test]
async fn a_rolling_upgrade_from_listeners_to_speakers_loses_nothing() {
    let shop = Shop::open(OnReject::BlockKey).await;
    let hears = || Subscription::to(Stepped::AGGREGATE, ["speaker"], OnReject::BlockKey);
    let old = || Topology::of("listener").hears(hears().on(WriteDown));
    let new = || {
        let both = hears()
            .on(WriteWidth::<SteppedV2>(PhantomData))
            .on(WriteWidth::<Upcast<Stepped, SteppedV2>>(PhantomData));
        Topology::of("listener").hears(both)
    };
    let walks: Vec<String> = (0..20).map(|walk| format!("walk-{walk}")).collect();
    let speak = |steps: std::ops::RangeInclusive<i64>, is_new: bool| {
        let (speaker, walks) = (shop.speaker.clone(), walks.clone());
        async move {
            for number in steps {
                let mut tx = speaker.begin().await.unwrap();
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
    let first_relay = shop.start_speaker();
    let [first, second] = [shop.start_listener_as(old()), shop.start_listener_as(old())];
    speak(1..=STEPS / 6, false).await;
    let third = shop.start_listener_as(new());
    let stop_old = async {
        first.shut_down().await;
        second.shut_down().await;
    };
    tokio::join!(speak(STEPS / 6 + 1..=STEPS / 3, false), stop_old);
    let fourth = shop.start_listener_as(new());
    let second_relay = shop.start_speaker();
    // Old and new speakers at once: which of them says the next step of a walk is a matter of chance.
    let middle = STEPS / 3 + 1..=2 * STEPS / 3;
    for number in middle {
        speak(number..=number, number % 2 == 0).await;
    }
    tokio::join!(speak(2 * STEPS / 3 + 1..=STEPS, true), first_relay.shut_down());
    shop.wait_for_total(STEPS * 20).await;
    shop.assert_walked(&walks, STEPS).await;
    assert_eq!(count(shop.listener.pool(), "messaging.dead_letter").await, 0);
    shop.assert_at_rest().await;
    for running in [second_relay, third, fourth] {
        running.shut_down().await;
    }
}
