//! Processes and servers are killed during orders; nothing is lost or duplicated.
//!
//! It is one test with one suite: RabbitMQ 3.10 loses messages of young quorum queues when it is killed, so
//! that it is killed last.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use system_tests::{SERVICES, Servers, Shop};
use testkit::{DataDir, wait_for};
use uuid::Uuid;

/// The minimal age of the queues before RabbitMQ is killed.
const MIN_QUEUE_AGE: Duration = Duration::from_secs(45);

/// How long RabbitMQ's memory alarm is raised.
const ALARM_DURATION: Duration = Duration::from_secs(22);

/// Timeout of asynchronous effects.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Places an order with an idempotency key and retries until it is accepted.
async fn place(shop: &Shop, sku: &str) -> String {
    let (buyer, key) = (Uuid::now_v7().to_string(), Uuid::now_v7().to_string());
    wait_for("the order is accepted", Duration::from_secs(90), async || {
        match shop.order(&buyer, sku, 1, Some(&key)).await {
            Ok(answer) if answer.status.as_u16() == 202 => Ok(answer.text("/id")),
            Ok(answer) => Err(format!("{}: {}", answer.status, answer.body)),
            Err(error) => Err(error.to_string()),
        }
    })
    .await
    .unwrap()
}

/// Places `number` orders, sixteen concurrently.
async fn place_many(shop: &Shop, sku: &str, number: usize) -> Vec<String> {
    stream::iter(0..number).map(|_| place(shop, sku)).buffer_unordered(16).collect().await
}

/// Asserts that the orders are distinct and delivered.
async fn assert_delivered(shop: &Shop, ids: &[String]) {
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "an order was duplicated");
    for id in ids {
        shop.wait_for_order(id, &["delivered"]).await.unwrap();
    }
    shop.assert_clean_audit().await.unwrap();
}

/// Places orders during RabbitMQ's memory alarm, when it reads nothing from publishers. The orders are
/// accepted, the service reports the blocked outbox, and connections that the broker cannot close do not pile
/// up.
async fn place_under_alarm(shop: &Shop) -> Vec<String> {
    let Servers::Private { rabbitmq, .. } = &shop.servers else {
        unreachable!("the suite has private servers")
    };
    rabbitmq.set_memory_alarm(true).await.unwrap();
    let ids = place_many(shop, "KB-1", 30).await;
    wait_for("the order service reports the alarm", TIMEOUT, async || {
        let ready = shop.get("order", "/health/ready").await.unwrap().body.to_string();
        if ready.contains("alarm") { Ok(()) } else { Err(ready) }
    })
    .await
    .unwrap();
    // Twice the confirm timeout of the relay, and more.
    let raised = Instant::now();
    wait_for("the alarm has lasted", TIMEOUT, async || {
        if raised.elapsed() > ALARM_DURATION {
            Ok(())
        } else {
            Err(format!("{:?}", raised.elapsed()))
        }
    })
    .await
    .unwrap();
    // Every connection of a service has a unique name; a second connection of a name means a reconnect. A
    // service that has just started may connect at any time.
    let mut names: Vec<String> = (rabbitmq.management().connections().await.unwrap().into_iter())
        .map(|connection| connection.client_name)
        .filter(|name| !name.is_empty())
        .collect();
    names.sort_unstable();
    let duplicates: Vec<_> = names.windows(2).filter(|pair| pair[0] == pair[1]).collect();
    assert!(duplicates.is_empty(), "connections pile up under the alarm: {names:?}");
    assert!(names.contains(&"order: publisher".to_owned()), "{names:?}");
    rabbitmq.set_memory_alarm(false).await.unwrap();
    ids
}

#[tokio::test]
async fn kills_lose_and_duplicate_nothing() {
    // Every step ends with deliveries, which take five seconds by default.
    let mut shop = Shop::start_with_private_servers(DataDir::in_memory, &[("DELIVER_AFTER", "1")])
        .await
        .unwrap();
    let started = Instant::now();
    shop.stocked_product("极光 F87 机械键盘", "KB-1", 32_900, 10_000).await.unwrap();
    let mut sold = 0;

    for service in SERVICES {
        let (before, during) = (10, 20);
        let mut ids = place_many(&shop, "KB-1", before).await;
        shop.kill(service).await.unwrap();
        if service == "order" {
            // No other instance accepts orders; open ones continue after the restart.
            shop.launch(service).unwrap();
            ids.extend(place_many(&shop, "KB-1", during).await);
        } else {
            ids.extend(place_many(&shop, "KB-1", during).await);
            shop.launch(service).unwrap();
        }
        shop.wait_until_ready().await.unwrap();
        assert_delivered(&shop, &ids).await;
        sold += i64::try_from(ids.len()).unwrap();
        assert_eq!(
            shop.stock_of("KB-1").await.unwrap(),
            (10_000 - sold, 0, 10_000 - sold),
            "after {service}"
        );
    }

    let ids = place_under_alarm(&shop).await;
    assert_delivered(&shop, &ids).await;
    sold += i64::try_from(ids.len()).unwrap();

    let mut ids = place_many(&shop, "KB-1", 50).await;
    let Servers::Private { postgres, .. } = &mut shop.servers else {
        unreachable!("the suite has private servers")
    };
    postgres.kill().await.unwrap();
    postgres.restart().await.unwrap();
    ids.extend(place_many(&shop, "KB-1", 100).await);
    shop.wait_until_ready().await.unwrap();
    assert_delivered(&shop, &ids).await;
    sold += i64::try_from(ids.len()).unwrap();

    wait_for("the queues are old enough", MIN_QUEUE_AGE, async || {
        if started.elapsed() > MIN_QUEUE_AGE {
            Ok(())
        } else {
            Err(format!("{:?}", started.elapsed()))
        }
    })
    .await
    .unwrap();
    let mut ids = place_many(&shop, "KB-1", 50).await;
    let Servers::Private { rabbitmq, .. } = &mut shop.servers else {
        unreachable!("the suite has private servers")
    };
    rabbitmq.kill().await.unwrap();
    // Orders are accepted without a broker: the outbox stores their events.
    ids.extend(place_many(&shop, "KB-1", 100).await);
    let Servers::Private { rabbitmq, .. } = &mut shop.servers else {
        unreachable!("the suite has private servers")
    };
    rabbitmq.restart().await.unwrap();
    ids.extend(place_many(&shop, "KB-1", 50).await);
    shop.wait_until_ready().await.unwrap();
    assert_delivered(&shop, &ids).await;
    sold += i64::try_from(ids.len()).unwrap();
    assert_eq!(shop.stock_of("KB-1").await.unwrap(), (10_000 - sold, 0, 10_000 - sold));
    shop.stop().await.unwrap();
}
