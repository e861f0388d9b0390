//! Replicas of a service divide its queues, and take over from one another.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use messaging::OnReject;
use testkit::wait_for;

use crate::shop::{SOON, Shop, count, wait_for_count};

/// How long a seat holds that is not renewed, with some time for those who wait for it to look.
const TERM: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_secs(2);

/// How often a step of each walk is said while replicas come and go: what a busy machine carries with ease.
const PACE: Duration = Duration::from_millis(20);

/// How many queues each living replica holds, in rising order.
async fn shares(shop: &Shop) -> Vec<i64> {
    sqlx::query_scalar(
        "select count(a.queue) from messaging.active_replica r
         left join messaging.queue_assignment a on a.holder = r.id group by r.id order by 1",
    )
    .fetch_all(shop.listener.pool())
    .await
    .unwrap()
}

/// Waits for the shares, and tells how long it took.
async fn wait_for_shares(shop: &Shop, expected: &[i64]) -> Duration {
    let began = Instant::now();
    wait_for(&format!("the shares are {expected:?}"), SOON, async || {
        let shares = shares(shop).await;
        if shares == expected { Ok(()) } else { Err(format!("{shares:?}")) }
    })
    .await
    .unwrap();
    began.elapsed()
}

#[tokio::test]
async fn replicas_divide_the_queues_and_take_over_from_one_another() {
    let shop = Shop::open(OnReject::BlockKey).await;
    let first = shop.start_listener();
    wait_for_shares(&shop, &[2]).await;
    let second = shop.start_listener();
    wait_for_shares(&shop, &[1, 1]).await;
    let third = shop.start_listener();
    wait_for_shares(&shop, &[0, 1, 1]).await;
    wait_for("each queue has one consumer: who does not hold it keeps away", SOON, async || {
        let queues = shop.vhost.queues().await.unwrap();
        let walks = queues.iter().filter(|queue| queue.name.starts_with("listener.walk"));
        let consumers: Vec<u64> = walks.map(|queue| queue.consumers).collect();
        if consumers == [1, 1] { Ok(()) } else { Err(format!("{consumers:?}")) }
    })
    .await
    .unwrap();
    // One that stops hands its queue on, one that dies leaves it: either is noticed long before a lease would run out.
    first.shut_down().await;
    let after_stop = wait_for_shares(&shop, &[1, 1]).await;
    second.die().await;
    let after_death = wait_for_shares(&shop, &[2]).await;
    assert!(after_stop < TERM, "{after_stop:?}");
    assert!(after_death < TERM, "{after_death:?}");
    third.shut_down().await;
    assert_eq!(count(shop.listener.pool(), "messaging.active_replica").await, 0);
}

/// A process that is stopped keeps its sessions and says nothing: its seat runs out.
#[tokio::test]
async fn a_seat_that_is_not_renewed_runs_out() {
    let shop = Shop::open(OnReject::BlockKey).await;
    let mut stopped = shop.listener.pool().acquire().await.unwrap();
    sqlx::raw_sql(
        "insert into messaging.replica values (gen_random_uuid(), pg_backend_pid(), now() + interval '3 seconds');
         insert into messaging.queue_assignment
         select 'listener.walk.' || n, id from messaging.replica, generate_series(0, 1) n",
    )
    .execute(&mut *stopped)
    .await
    .unwrap();
    let listener = shop.start_listener();
    wait_for_count("there are two replicas", shop.listener.pool(), "messaging.active_replica", 2)
        .await;
    // Nobody gives up what the stopped one holds, so the living one has to wait.
    let waited = wait_for_shares(&shop, &[2]).await;
    assert!(waited + LOOK > TERM && waited < TERM + LOOK, "{waited:?}");
    listener.shut_down().await;
}

/// Waits until each walk goes on: those of either queue.
async fn wait_for_progress(shop: &Shop, walks: &[&str]) {
    let furthest = async || -> HashMap<String, i64> {
        sqlx::query_as("select walk, max(number) from effect group by walk")
            .fetch_all(shop.listener.pool())
            .await
            .unwrap()
            .into_iter()
            .collect()
    };
    let before = furthest().await;
    wait_for("each walk goes on", SOON, async || {
        let now = furthest().await;
        let stuck = walks.iter().filter(|walk| now.get(**walk) <= before.get(**walk));
        match stuck.count() {
            0 => Ok(()),
            stuck => Err(format!("{stuck} do not")),
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn replicas_come_and_go_and_nothing_is_lost_or_doubled() {
    let shop = Shop::open(OnReject::BlockKey).await;
    let walks: Vec<String> = (0..20).map(|walk| format!("walk-{walk}")).collect();
    let names: Vec<&str> = walks.iter().map(String::as_str).collect();
    let speaker = shop.start_speaker();
    let over = AtomicBool::new(false);
    let write = shop.walk_until(&over, PACE, &names);
    let replace = async {
        let mut elder = shop.start_listener();
        for round in 0..6 {
            let younger = shop.start_listener();
            wait_for_shares(&shop, &[1, 1]).await;
            wait_for_progress(&shop, &names).await;
            if round % 2 == 0 {
                elder.die().await;
            } else {
                elder.shut_down().await;
            }
            wait_for_shares(&shop, &[2]).await;
            wait_for_progress(&shop, &names).await;
            elder = younger;
        }
        over.store(true, Ordering::Relaxed);
        elder
    };
    let (last, listener) = tokio::join!(write, replace);
    shop.wait_for_total(20 * last).await;
    shop.assert_walked(&walks, last).await;
    shop.assert_at_rest().await;
    speaker.shut_down().await;
    listener.shut_down().await;
}
