//! Events leave with their transaction, arrive, and take effect once and in order.

use std::{
    collections::HashMap,
    marker::PhantomData,
    sync::{Arc, Mutex},
    time::Duration,
};

use envelope::Event;
use messaging::{Batch, Failure, Handler, OnReject, Subscription, Topology, Transaction};

use crate::shop::{Rested, Shop, Stepped, WriteDown, count, wait_for_count};

#[tokio::test]
async fn an_event_leaves_if_and_only_if_its_transaction_commits() {
    let shop = Shop::open(OnReject::BlockKey).await;
    let (speaker, listener) = (shop.start_speaker(), shop.start_listener());
    let mut given_up = shop.speaker.begin().await.unwrap();
    given_up.emit(&Stepped { walk: "never".into(), number: 1 }).unwrap();
    drop(given_up);
    shop.walk(&["always"], 1..=1).await;
    shop.wait_for_effects("always", &[1]).await;
    assert_eq!(shop.effects("never").await, [0_i64; 0]);
    shop.assert_at_rest().await;
    speaker.shut_down().await;
    listener.shut_down().await;
}

#[tokio::test]
async fn many_keys_from_many_transactions_keep_their_order() {
    let shop = Shop::open(OnReject::BlockKey).await;
    let (speaker, listener) = (shop.start_speaker(), shop.start_listener());
    let walks: Vec<String> = (0..40).map(|walk| format!("walk-{walk}")).collect();
    let names: Vec<&str> = walks.iter().map(String::as_str).collect();
    // Eight writers at once, each with walks of its own, in transactions of several steps.
    let writers = names.chunks(5).map(|mine| async {
        for start in (1..=60).step_by(3) {
            shop.walk(mine, start..=start + 2).await;
        }
    });
    futures::future::join_all(writers).await;
    shop.wait_for_total(40 * 60).await;
    shop.assert_walked(&walks, 60).await;
    shop.assert_at_rest().await;
    speaker.shut_down().await;
    listener.shut_down().await;
}

#[tokio::test]
async fn writers_on_one_key_are_numbered_in_the_order_of_their_commits() {
    let shop = Shop::open(OnReject::BlockKey).await;
    let (speaker, listener) = (shop.start_speaker(), shop.start_listener());
    let writers = (0..10).map(|writer| {
        let shop = &shop;
        async move {
            for number in 1..=20 {
                shop.walk(&["shared"], writer * 100 + number..=writer * 100 + number).await;
            }
        }
    });
    futures::future::join_all(writers).await;
    shop.wait_for_total(200).await;
    let sequences: Vec<i64> = sqlx::query_scalar("select sequence from effect order by place")
        .fetch_all(shop.listener.pool())
        .await
        .unwrap();
    assert_eq!(sequences, (1..=200).collect::<Vec<_>>());
    shop.assert_at_rest().await;
    speaker.shut_down().await;
    listener.shut_down().await;
}

#[tokio::test]
async fn a_type_without_a_handler_moves_the_cursor_and_nothing_else() {
    let shop = Shop::open(OnReject::BlockKey).await;
    let (speaker, listener) = (shop.start_speaker(), shop.start_listener());
    let mut tx = shop.speaker.begin().await.unwrap();
    tx.emit(&Stepped { walk: "w".into(), number: 1 }).unwrap();
    tx.emit(&Rested { walk: "w".into() }).unwrap();
    tx.emit(&Stepped { walk: "w".into(), number: 2 }).unwrap();
    tx.commit().await.unwrap();
    shop.wait_for_effects("w", &[1, 2]).await;
    let last: i64 = sqlx::query_scalar("select last from messaging.cursor where key = 'w'")
        .fetch_one(shop.listener.pool())
        .await
        .unwrap();
    assert_eq!(last, 3);
    shop.assert_at_rest().await;
    speaker.shut_down().await;
    listener.shut_down().await;
}

#[tokio::test]
async fn a_duplicate_has_no_effect_however_late_it_comes() {
    let shop = Shop::open(OnReject::BlockKey).await;
    let listener = shop.start_listener();
    shop.walk(&["w", "v"], 1..=50).await;
    shop.keep_outbox().await;
    let speaker = shop.start_speaker();
    shop.wait_for_total(100).await;
    for _ in 0..2 {
        shop.put_back().await;
        shop.assert_at_rest().await;
    }
    // Something new comes through behind the duplicates.
    shop.walk(&["w", "v"], 51..=51).await;
    shop.wait_for_effects("w", &(1..=51).collect::<Vec<_>>()).await;
    shop.wait_for_effects("v", &(1..=51).collect::<Vec<_>>()).await;
    assert_eq!(count(shop.listener.pool(), "effect").await, 102);
    speaker.shut_down().await;
    listener.shut_down().await;
}

#[tokio::test]
async fn a_gap_is_waited_for_and_never_skipped() {
    let shop = Shop::open(OnReject::BlockKey).await;
    let listener = shop.start_listener();
    shop.walk(&["gapped", "whole"], 1..=4).await;
    let mut connection = shop.speaker.pool().acquire().await.unwrap();
    sqlx::raw_sql(
        "create table held as select * from messaging.outbox where key = 'gapped' and seq = 2;
         delete from messaging.outbox where key = 'gapped' and seq = 2",
    )
    .execute(&mut *connection)
    .await
    .unwrap();
    let speaker = shop.start_speaker();
    shop.wait_for_effects("whole", &[1, 2, 3, 4]).await;
    shop.wait_for_effects("gapped", &[1]).await;
    wait_for_count("the later ones are parked", shop.listener.pool(), "messaging.parked", 2).await;
    sqlx::raw_sql("insert into messaging.outbox overriding system value select * from held")
        .execute(&mut *connection)
        .await
        .unwrap();
    shop.wait_for_effects("gapped", &[1, 2, 3, 4]).await;
    shop.assert_at_rest().await;
    speaker.shut_down().await;
    listener.shut_down().await;
}

#[tokio::test]
async fn a_handler_that_never_comes_back_over_an_event_holds_up_its_key_and_no_other() {
    let shop = Shop::open(OnReject::BlockKey).await;
    shop.mood.hang.lock().unwrap().push("stuck".into());
    let walks: Vec<String> = (0..30).map(|walk| format!("walk-{walk}")).collect();
    let mut names: Vec<&str> = walks.iter().map(String::as_str).collect();
    names.insert(11, "stuck");
    // All are in the outbox before anybody reads it, so they come in batches.
    shop.walk(&names, 1..=3).await;
    let subscription = Subscription::to(Stepped::AGGREGATE, ["speaker"], OnReject::BlockKey)
        .handled_within(Duration::from_millis(300))
        .on(shop.write_down());
    let (speaker, listener) = (
        shop.start_speaker(),
        shop.start_listener_as(Topology::of("listener").hears(subscription)),
    );
    shop.wait_for_total(30 * 3).await;
    shop.assert_walked(&walks, 3).await;
    let why = "messaging.parked where why = 'retry' and causes[1] like 'the handler took longer%'";
    assert_eq!(count(shop.listener.pool(), why).await, 1);
    shop.mood.hang.lock().unwrap().clear();
    shop.wait_for_effects("stuck", &[1, 2, 3]).await;
    shop.assert_at_rest().await;
    speaker.shut_down().await;
    listener.shut_down().await;
}

/// Waits in vain for a statement at the first two attempts at the walk `stuck`, or rests for longer than it may, and notes how many
/// events it was given with it each time.
struct Stalled {
    write_down: WriteDown,
    rests: bool,
    given: Arc<Mutex<Vec<usize>>>,
}

impl Handler for Stalled {
    type Event = Stepped;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<Stepped>,
    ) -> Result<(), Failure> {
        let is_stuck = |step: &Stepped| step.walk == "stuck" && step.number == 1;
        let stuck = batch.delivered().iter().find(|one| is_stuck(&one.event));
        if let Some(attempts) = stuck.map(|one| one.attempts) {
            self.given.lock().unwrap().push(batch.delivered().len());
            if attempts < 2 && self.rests {
                tokio::time::sleep(Duration::from_millis(5_500)).await;
            } else if attempts < 2 {
                sqlx::raw_sql("set local statement_timeout = '2500ms'; select pg_sleep(60)")
                    .execute(&mut **tx)
                    .await?;
            }
        }
        self.write_down.handle(tx, batch).await
    }
}

#[tokio::test]
async fn a_statement_that_takes_too_long_over_an_event_is_given_up_twice_and_not_in_each_half() {
    stall(false).await;
}

/// PostgreSQL ends its transaction meanwhile, and the connection with it. That is no outage, for which nobody would be to blame.
#[tokio::test]
async fn a_handler_that_rests_too_long_in_its_transaction_has_tried_its_event() {
    stall(true).await;
}

async fn stall(rests: bool) {
    let shop = Shop::open(OnReject::BlockKey).await;
    let walks: Vec<String> = (0..60).map(|walk| format!("walk-{walk}")).collect();
    let mut names: Vec<&str> = walks.iter().map(String::as_str).collect();
    names.insert(11, "stuck");
    shop.walk(&names, 1..=3).await;
    let given = Arc::new(Mutex::new(Vec::new()));
    let stalled = Stalled { write_down: shop.write_down(), rests, given: given.clone() };
    let subscription =
        Subscription::to(Stepped::AGGREGATE, ["speaker"], OnReject::BlockKey).on(stalled);
    let (speaker, listener) = (
        shop.start_speaker(),
        shop.start_listener_as(Topology::of("listener").hears(subscription)),
    );
    shop.wait_for_total(61 * 3).await;
    shop.assert_walked(&walks, 3).await;
    shop.wait_for_effects("stuck", &[1, 2, 3]).await;
    // Together with others once, and then by itself, also when it is tried again and others of its walk stand behind it.
    let given = given.lock().unwrap().clone();
    assert!(given[0] > 8, "{given:?}");
    assert_eq!(given[1..], [1, 1, 1], "{given:?}");
    shop.assert_at_rest().await;
    speaker.shut_down().await;
    listener.shut_down().await;
}

/// Takes a while for whatever it is given, and writes down in which transaction that was.
struct Slow<E>(PhantomData<E>);

impl<E: Event> Handler for Slow<E> {
    type Event = E;

    async fn handle(&self, tx: &mut Transaction, batch: &mut Batch<E>) -> Result<(), Failure> {
        tokio::time::sleep(Duration::from_millis(200)).await;
        for one in batch.delivered() {
            let _: i64 = sqlx::query_scalar(
                "insert into effect (walk, number, sequence)
                 values (pg_current_xact_id()::text, 0, $1) returning place",
            )
            .bind(one.sequence)
            .fetch_one(&mut **tx)
            .await?;
        }
        Ok(())
    }
}

#[tokio::test]
async fn all_that_is_handed_over_at_once_shares_the_time_of_the_handlers() {
    let shop = Shop::open(OnReject::BlockKey).await;
    // Of one key and of two types by turns, so that each event is a run of its own.
    let mut tx = shop.speaker.begin().await.unwrap();
    for number in 1..=4 {
        tx.emit(&Stepped { walk: "w".into(), number }).unwrap();
        tx.emit(&Rested { walk: "w".into() }).unwrap();
    }
    tx.commit().await.unwrap();
    let subscription = Subscription::to(Stepped::AGGREGATE, ["speaker"], OnReject::BlockKey)
        .handled_within(Duration::from_secs(1))
        .on(Slow::<Stepped>(PhantomData))
        .on(Slow::<Rested>(PhantomData));
    let (speaker, listener) = (
        shop.start_speaker(),
        shop.start_listener_as(Topology::of("listener").hears(subscription)),
    );
    shop.wait_for_total(8).await;
    // Together they would take longer than a second, so each is a transaction of its own.
    let transactions: i64 = sqlx::query_scalar("select count(distinct walk) from effect")
        .fetch_one(shop.listener.pool())
        .await
        .unwrap();
    assert_eq!(transactions, 8);
    shop.assert_at_rest().await;
    speaker.shut_down().await;
    listener.shut_down().await;
}

#[tokio::test]
async fn a_retry_holds_back_its_key_and_no_other() {
    let shop = Shop::open(OnReject::BlockKey).await;
    *shop.mood.retry.lock().unwrap() = HashMap::from([("slow".to_owned(), 3)]);
    let (speaker, listener) = (shop.start_speaker(), shop.start_listener());
    shop.walk(&["slow", "quick"], 1..=5).await;
    shop.wait_for_effects("quick", &[1, 2, 3, 4, 5]).await;
    shop.wait_for_effects("slow", &[1, 2, 3, 4, 5]).await;
    // What comes after the retries is on time again.
    shop.walk(&["slow"], 6..=6).await;
    shop.wait_for_effects("slow", &[1, 2, 3, 4, 5, 6]).await;
    shop.assert_at_rest().await;
    speaker.shut_down().await;
    listener.shut_down().await;
}
