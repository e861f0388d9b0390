//! Two versions of an event, handled by the same code.

use std::{
    borrow::{Borrow, Cow},
    marker::PhantomData,
};

use contracts::{Event, Upcast};
use messaging::{Batch, Failure, Handler, OnReject, Subscription, Topology, Transaction};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::shop::{Shop, Stepped};

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
            let _: i64 = sqlx::query_scalar(
                "insert into effect (walk, number, sequence) values ($1, $2, $3) returning place",
            )
            .bind(&step.walk)
            .bind(step.number * step.width)
            .bind(delivered.sequence)
            .fetch_one(&mut **tx)
            .await?;
        }
        Ok(())
    }
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
