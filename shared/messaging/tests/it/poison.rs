//! Many events, some of which can never be handled and some not at once, on keys of which a few are hot (R8); and one over which
//! the process dies.

use std::{
    collections::{BTreeMap, BTreeSet},
    os::unix::process::ExitStatusExt as _,
    sync::{Arc, Mutex},
    time::Instant,
};

use messaging::{
    Batch, Failure, Handler, Messaging, OnReject, Subscription, Topology, Transaction,
    dead_letters::{self, DeadLetter, Selection, redrive},
};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use testkit::{DataDir, wait_for};
use tokio_util::sync::CancellationToken;

use crate::shop::{Mood, SOON, Shop, Stepped, count, kit, start_again};

/// How many events are said, in transactions of how many.
const EVENTS: u64 = 20_000;
const SET: u64 = 100;

/// How many keys there are, and how unevenly they are used: key number k in proportion to k to the power of minus this.
const WALKS: u64 = 2_000;
const ZIPF: f64 = 1.1;

/// Who handles what can be handled.
struct Picky {
    /// What has been tried before.
    tried: Mutex<BTreeSet<(String, i64)>>,
}

/// One in a thousand is poison, and one in a hundred wants a second try: known by a number of the event's own.
fn is_poison(step: &Stepped) -> bool {
    step.number % 1_000 == 17
}

fn is_moody(step: &Stepped) -> bool {
    step.number % 100 == 3
}

impl Handler for Picky {
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
                batch.refuse(index, Failure::reject("poison", "nobody can handle this"));
            } else if is_moody(&one.event) && self.tried.lock().unwrap().insert(name) {
                batch.refuse(index, Failure::retry("not at the first try"));
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
async fn poison_is_isolated_and_hot_keys_keep_their_order() {
    let shop = Shop::open(OnReject::GoOn).await;
    let picky = Picky { tried: Mutex::default() };
    let subscription = Subscription::to("walk", ["speaker"], OnReject::GoOn).on(picky);
    let speaker = shop.start_speaker();
    let listener = shop.start_listener_as(Topology::of("listener").hears(subscription));

    // What was said of each key, in order: the number is the event's own, counted over all keys.
    let mut said: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    let mut rng = StdRng::seed_from_u64(8);
    for first in (0..EVENTS).step_by(usize::try_from(SET).unwrap()) {
        let mut tx = shop.speaker.begin().await.unwrap();
        for number in first..first + SET {
            let number = i64::try_from(number).unwrap();
            let step = Stepped { walk: format!("walk-{}", zipf(&mut rng)), number };
            tx.emit(&step).unwrap();
            said.entry(step.walk).or_default().push(number);
        }
        tx.commit().await.unwrap();
    }
    let is_fine = |number: &i64| number % 1_000 != 17;
    let poison = i64::try_from(EVENTS / 1_000).unwrap();
    shop.wait_for_total(i64::try_from(EVENTS).unwrap() - poison).await;

    let done: Vec<(String, i64)> =
        sqlx::query_as("select walk, number from effect order by sequence, place")
            .fetch_all(shop.listener.pool())
            .await
            .unwrap();
    let mut in_order: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for (walk, number) in done {
        in_order.entry(walk).or_default().push(number);
    }
    let wanted: BTreeMap<String, Vec<i64>> = said
        .into_iter()
        .map(|(walk, numbers)| (walk, numbers.into_iter().filter(is_fine).collect::<Vec<_>>()))
        .filter(|(_, numbers)| !numbers.is_empty())
        .collect();
    assert!(in_order == wanted, "the effects on some key are not what was said of it");
    let out_of_order: i64 = sqlx::query_scalar(
        "select count(*) from (
            select place < lag(place) over (partition by walk order by sequence) as is_late from effect
         ) effects where is_late",
    )
    .fetch_one(shop.listener.pool())
    .await
    .unwrap();
    assert_eq!(out_of_order, 0, "effects of a key came before those they follow");

    let letters = letters(&shop, usize::try_from(poison).unwrap()).await;
    let innocents: Vec<_> = letters.iter().filter(|letter| letter.reason != "poison").collect();
    assert!(innocents.is_empty(), "{innocents:?}");
    assert_eq!(count(shop.listener.pool(), "messaging.dead_letter").await, poison);
    shop.assert_at_rest().await;
    speaker.shut_down().await;
    listener.shut_down().await;
}

async fn letters(shop: &Shop, expected: usize) -> Vec<DeadLetter> {
    wait_for("the poison is put aside", SOON * 4, async || {
        let mut connection = shop.listener.pool().acquire().await.unwrap();
        let letters = dead_letters::list(&mut connection, &Selection::default(), true, None, 1_000)
            .await
            .unwrap();
        if letters.len() == expected { Ok(letters) } else { Err(format!("{}", letters.len())) }
    })
    .await
    .unwrap()
}

/// A number of a key, by inversion of the continuous distribution with the same exponent.
fn zipf(rng: &mut StdRng) -> u64 {
    let uniform: f64 = rng.random_range(0.0..1.0);
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let most: f64 = (WALKS as f64).powf(1.0 - ZIPF);
    let key: f64 = (1.0_f64 + uniform * (most - 1.0)).powf(1.0 / (1.0 - ZIPF));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 1 to WALKS")]
    let key = key as u64;
    key
}

/// The environment of the processes that die in [`what_kills_its_process_becomes_a_letter_alone`].
const DATABASE_OF_LISTENER: &str = "POISON_LISTENER_DATABASE_URL";
const BROKER_OF_LISTENER: &str = "POISON_LISTENER_AMQP_URL";
const GOES_ON: &str = "POISON_LISTENER_GOES_ON";

/// More deaths than the broker and the parking place take together: twenty and thirty.
const DEATHS: u32 = 70;

/// The signal by which a process dies that aborts itself.
const SIGABRT: i32 = 6;

/// A listener that dies over step 2 of the walk "deadly".
async fn listen_until_death(database: &str, on_reject: OnReject) {
    let kit = kit(database).await;
    let mood = Mood::default();
    mood.abort.lock().unwrap().push("deadly".into());
    let topology = Shop::topology_of_listener(on_reject, Arc::new(mood));
    let broker = std::env::var(BROKER_OF_LISTENER).unwrap();
    Messaging::new(kit, broker, topology).consume(CancellationToken::new()).await;
}

/// The process really dies, with its connections, as often as it takes until the culprit is found. Nothing else dies of it, not even
/// the event before it and the one behind it.
#[tokio::test]
async fn what_kills_its_process_becomes_a_letter_alone() {
    // Started by itself once more, it is the process that dies.
    if let Ok(database) = std::env::var(DATABASE_OF_LISTENER) {
        let on_reject = match std::env::var(GOES_ON).as_deref() {
            Ok("true") => OnReject::GoOn,
            _ => OnReject::BlockKey,
        };
        return listen_until_death(&database, on_reject).await;
    }
    kill_until_found(OnReject::BlockKey, &[1]).await;
    kill_until_found(OnReject::GoOn, &[1, 3, 4]).await;
}

/// Starts the listener anew whenever it dies, until the culprit is a letter. By then these are the effects on its key.
async fn kill_until_found(on_reject: OnReject, of_culprit: &[i64]) {
    let (began, shop) = (Instant::now(), Shop::open(on_reject).await);
    let walks: Vec<String> = (0..20).map(|walk| format!("walk-{walk}")).collect();
    let mut names: Vec<&str> = walks.iter().map(String::as_str).collect();
    names.insert(11, "deadly");
    shop.walk(&names, 1..=4).await;
    let speaker = shop.start_speaker();
    let goes_on = (on_reject == OnReject::GoOn).to_string();
    let variables = [
        (DATABASE_OF_LISTENER, shop.listener_url()),
        (BROKER_OF_LISTENER, shop.vhost.url()),
        (GOES_ON, goes_on.as_str()),
    ];
    let folder = DataDir::temporary("poison").unwrap();
    let test = "poison::what_kills_its_process_becomes_a_letter_alone";
    let mut deaths = 0;
    let listeners = async {
        loop {
            let mut listener = start_again(&folder, test, &variables);
            let status = listener.wait_for_exit().await.unwrap();
            assert_eq!(status.signal(), Some(SIGABRT), "{}", listener.log_tail());
            deaths += 1;
            assert!(deaths < DEATHS, "the processes go on dying");
        }
    };
    let found = async {
        let letter = letters(&shop, 1).await.remove(0);
        let found =
            (letter.key.as_deref(), letter.sequence, letter.reason.as_str(), letter.attempts);
        assert_eq!(found, (Some("deadly"), Some(2), "starts_exhausted", 30));
        assert!(letter.causes[0].starts_with("delivery limit"), "{letter:?}");
        shop.wait_for_effects("deadly", of_culprit).await;
        shop.wait_for_total(i64::try_from(walks.len() * 4 + of_culprit.len()).unwrap()).await;
        shop.assert_walked(&walks, 4).await;
        letter
    };
    // The last of the listeners is ended with the others' future.
    let letter = tokio::select! {
        letter = found => letter,
        never = listeners => never,
    };
    println!("{on_reject:?}: found after {deaths} deaths and {:?}", began.elapsed());
    // Here the handler is mended.
    redrive(&shop.listener, &shop.listener_topology(), letter.id).await.unwrap();
    let listener = shop.start_listener();
    let mut mended = of_culprit.to_vec();
    match on_reject {
        OnReject::BlockKey => mended.extend([2, 3, 4]),
        OnReject::GoOn => mended.push(2),
    }
    shop.wait_for_effects("deadly", &mended).await;
    shop.assert_at_rest().await;
    speaker.shut_down().await;
    listener.shut_down().await;
}
