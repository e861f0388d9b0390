//! Many events on keys with a Zipf distribution, of which some always fail and some fail once; and an event that kills its process.

use std::{
    collections::{BTreeMap, BTreeSet},
    os::unix::process::ExitStatusExt as _,
    sync::{Arc, Mutex},
    time::Instant,
};

use messaging::{
    Batch, Failure, Handler, MessagingRuntime, OnReject, Subscription, Topology, Transaction,
    dead_letters::{self, DeadLetter, Selection, redrive},
};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use testkit::{DataDir, wait_for};
use tokio_util::sync::CancellationToken;

use crate::harness::{
    HandlerBehavior, Harness, Stepped, TIMEOUT, count, outbox, start_test_process,
};

const EVENTS: u64 = 20_000;
/// Events per transaction.
const SET_SIZE: u64 = 100;

/// The number of keys. Key number k is used in proportion to k to the power of -[`ZIPF`].
const WALKS: u64 = 2_000;
const ZIPF: f64 = 1.1;

/// Rejects poison events, and retries some events once.
struct Selective {
    attempted: Mutex<BTreeSet<(String, i64)>>,
}

/// One event in a thousand.
fn is_poison(step: &Stepped) -> bool {
    step.number % 1_000 == 17
}

/// One event in a hundred.
fn fails_once(step: &Stepped) -> bool {
    step.number % 100 == 3
}

impl Handler for Selective {
    type Event = Stepped;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<Stepped>,
    ) -> Result<(), Failure> {
        for index in 0..batch.delivered().len() {
            let one = &batch.delivered()[index];
            let name = (one.event.walk.clone(), one.event.number);
            if is_poison(&one.event) {
                batch.fail(index, Failure::reject("poison", "cannot be handled"));
            } else if fails_once(&one.event) && self.attempted.lock().unwrap().insert(name) {
                batch.fail(index, Failure::retry("not at the first try"));
            }
        }
        let fine = |one: &&messaging::Delivered<Stepped>| !is_poison(&one.event);
        let steps: Vec<_> = batch.delivered().iter().filter(fine).collect();
        let walks: Vec<String> = steps.iter().map(|one| one.event.walk.clone()).collect();
        let numbers: Vec<i64> = steps.iter().map(|one| one.event.number).collect();
        let sequences: Vec<i64> = steps.iter().map(|one| one.sequence).collect();
        let _: Vec<i64> = sqlx::query_scalar(
            "insert into effect (walk, number, sequence)
             select * from unnest($1::text[], $2::bigint[], $3::bigint[]) returning place",
        )
        .bind(walks)
        .bind(numbers)
        .bind(sequences)
        .fetch_all(&mut **tx)
        .await?;
        Ok(())
    }
}

#[tokio::test]
async fn poison_events_are_isolated_and_hot_keys_keep_their_order() {
    let harness = Harness::open(OnReject::Continue).await;
    let handler = Selective { attempted: Mutex::default() };
    let subscription = Subscription::to("walk", ["publisher"], OnReject::Continue).on(handler);
    let publisher = harness.start_publisher();
    let consumer = harness.start_consumer_as(Topology::new("consumer").subscribes(subscription));

    // The published numbers of each key, in order; numbers are counted over all keys.
    let mut published: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    let mut rng = StdRng::seed_from_u64(8);
    for first in (0..EVENTS).step_by(usize::try_from(SET_SIZE).unwrap()) {
        let mut tx = harness.publisher.begin().await.unwrap();
        for number in first..first + SET_SIZE {
            let number = i64::try_from(number).unwrap();
            let step = Stepped { walk: format!("walk-{}", zipf(&mut rng)), number };
            tx.emit(&step).unwrap();
            published.entry(step.walk).or_default().push(number);
        }
        tx.commit().await.unwrap();
    }
    let is_fine = |number: &i64| number % 1_000 != 17;
    let poison = i64::try_from(EVENTS / 1_000).unwrap();
    harness.wait_for_total(i64::try_from(EVENTS).unwrap() - poison).await;

    let done: Vec<(String, i64)> =
        sqlx::query_as("select walk, number from effect order by sequence, place")
            .fetch_all(harness.consumer.pool())
            .await
            .unwrap();
    let mut in_order: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for (walk, number) in done {
        in_order.entry(walk).or_default().push(number);
    }
    let wanted: BTreeMap<String, Vec<i64>> = published
        .into_iter()
        .map(|(walk, numbers)| (walk, numbers.into_iter().filter(is_fine).collect::<Vec<_>>()))
        .filter(|(_, numbers)| !numbers.is_empty())
        .collect();
    assert!(in_order == wanted, "the effects on a key differ from its events");
    let out_of_order: i64 = sqlx::query_scalar(
        "select count(*) from (
            select place < lag(place) over (partition by walk order by sequence) as is_late from effect
         ) effects where is_late",
    )
    .fetch_one(harness.consumer.pool())
    .await
    .unwrap();
    assert_eq!(out_of_order, 0, "effects of a key are out of order");

    let dead_letters = wait_for_dead_letters(&harness, usize::try_from(poison).unwrap()).await;
    let others: Vec<_> =
        dead_letters.iter().filter(|dead_letter| dead_letter.reason != "poison").collect();
    assert!(others.is_empty(), "{others:?}");
    assert_eq!(count(harness.consumer.pool(), "messaging.dead_letter").await, poison);
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

async fn wait_for_dead_letters(harness: &Harness, expected: usize) -> Vec<DeadLetter> {
    wait_for("the poison events are dead letters", TIMEOUT * 4, async || {
        let mut connection = harness.consumer.pool().acquire().await.unwrap();
        let dead_letters =
            dead_letters::list(&mut connection, &Selection::default(), true, None, 1_000)
                .await
                .unwrap();
        if dead_letters.len() == expected {
            Ok(dead_letters)
        } else {
            Err(format!("{}", dead_letters.len()))
        }
    })
    .await
    .unwrap()
}

/// A random key number, by inversion of the continuous distribution with the same exponent.
fn zipf(rng: &mut StdRng) -> u64 {
    let uniform: f64 = rng.random_range(0.0..1.0);
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let most: f64 = (WALKS as f64).powf(1.0 - ZIPF);
    let key: f64 = (1.0_f64 + uniform * (most - 1.0)).powf(1.0 / (1.0 - ZIPF));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 1 to WALKS")]
    let key = key as u64;
    key
}

/// The environment of the processes that die in [`only_the_event_that_kills_its_process_is_dead_lettered`].
const DATABASE_OF_CONSUMER: &str = "POISON_CONSUMER_DATABASE_URL";
const BROKER_OF_CONSUMER: &str = "POISON_CONSUMER_AMQP_URL";
const CONTINUES: &str = "POISON_CONSUMER_CONTINUES";

/// More than the delivery limit of the broker (20) and the start limit of a parked event (30) together.
const DEATHS: u32 = 70;

const SIGABRT: i32 = 6;

/// A consumer that aborts at step 2 of the walk "deadly".
async fn consume_until_death(database: &str, on_reject: OnReject) {
    let outbox = outbox(database).await;
    let behavior = HandlerBehavior::default();
    behavior.abort.lock().unwrap().push("deadly".into());
    let topology = Harness::topology_of_consumer(on_reject, Arc::new(behavior));
    let broker = std::env::var(BROKER_OF_CONSUMER).unwrap();
    MessagingRuntime::new(outbox, broker, topology).consume(CancellationToken::new()).await;
}

/// The process aborts again and again until the event is found. No other event becomes a dead letter, not even its neighbours in
/// the same key.
#[tokio::test]
async fn only_the_event_that_kills_its_process_is_dead_lettered() {
    // In the child process.
    if let Ok(database) = std::env::var(DATABASE_OF_CONSUMER) {
        let on_reject = match std::env::var(CONTINUES).as_deref() {
            Ok("true") => OnReject::Continue,
            _ => OnReject::BlockKey,
        };
        return consume_until_death(&database, on_reject).await;
    }
    kill_until_found(OnReject::BlockKey, &[1]).await;
    kill_until_found(OnReject::Continue, &[1, 3, 4]).await;
}

/// Restarts the consumer after each death until the event is a dead letter. Then `effects_of_key` are the effects on its key.
async fn kill_until_found(on_reject: OnReject, effects_of_key: &[i64]) {
    let (began, harness) = (Instant::now(), Harness::open(on_reject).await);
    let walks: Vec<String> = (0..20).map(|walk| format!("walk-{walk}")).collect();
    let mut names: Vec<&str> = walks.iter().map(String::as_str).collect();
    names.insert(11, "deadly");
    harness.publish_steps(&names, 1..=4).await;
    let publisher = harness.start_publisher();
    let continues = (on_reject == OnReject::Continue).to_string();
    let variables = [
        (DATABASE_OF_CONSUMER, harness.consumer_url()),
        (BROKER_OF_CONSUMER, harness.vhost.url()),
        (CONTINUES, continues.as_str()),
    ];
    let directory = DataDir::temporary("poison").unwrap();
    let test = "poison::only_the_event_that_kills_its_process_is_dead_lettered";
    let mut deaths = 0;
    let consumers = async {
        loop {
            let mut consumer = start_test_process(&directory, test, &variables);
            let status = consumer.wait_for_exit().await.unwrap();
            assert_eq!(status.signal(), Some(SIGABRT), "{}", consumer.log_tail());
            deaths += 1;
            assert!(deaths < DEATHS, "the event is never isolated");
        }
    };
    let found = async {
        let dead_letter = wait_for_dead_letters(&harness, 1).await.remove(0);
        let found = (
            dead_letter.key.as_deref(),
            dead_letter.sequence,
            dead_letter.reason.as_str(),
            dead_letter.attempts,
        );
        assert_eq!(found, (Some("deadly"), Some(2), "starts_exhausted", 30));
        assert!(dead_letter.causes[0].starts_with("delivery limit"), "{dead_letter:?}");
        harness.wait_for_effects("deadly", effects_of_key).await;
        harness
            .wait_for_total(i64::try_from(walks.len() * 4 + effects_of_key.len()).unwrap())
            .await;
        harness.assert_effects(&walks, 4).await;
        dead_letter
    };
    // This also ends the last consumer.
    let dead_letter = tokio::select! {
        dead_letter = found => dead_letter,
        never = consumers => never,
    };
    println!("{on_reject:?}: found after {deaths} deaths and {:?}", began.elapsed());
    // The handler works now.
    redrive(&harness.consumer, &harness.consumer_topology(), dead_letter.id).await.unwrap();
    let consumer = harness.start_consumer();
    let mut expected = effects_of_key.to_vec();
    match on_reject {
        OnReject::BlockKey => expected.extend([2, 3, 4]),
        OnReject::Continue => expected.push(2),
    }
    harness.wait_for_effects("deadly", &expected).await;
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}
