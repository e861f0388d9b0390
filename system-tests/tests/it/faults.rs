//! Processes and servers are killed in the middle of orders; nothing is lost, nothing is doubled.
//!
//! One test, one suite: RabbitMQ 3.10 loses what young quorum queues hold, so its server is started first and killed last.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use system_tests::{SERVICES, Servers, Shop};
use testkit::wait_for;
use uuid::Uuid;

/// How old RabbitMQ's queues are before it is killed.
const OLD_ENOUGH: Duration = Duration::from_secs(45);

/// How long RabbitMQ's memory alarm is raised.
const ALARM: Duration = Duration::from_secs(22);

/// How long anything may take that happens by itself.
const SHORTLY: Duration = Duration::from_mins(1);

/// Places an order as a good client does: with a key, again and again until it is taken.
async fn place(shop: &Shop, sku: &str) -> String {
    let (buyer, key) = (Uuid::now_v7().to_string(), Uuid::now_v7().to_string());
    wait_for("the order is taken", Duration::from_secs(90), async || {
        match shop.order(&buyer, sku, 1, Some(&key)).await {
            Ok(answer) if answer.status.as_u16() == 202 => Ok(answer.text("/id")),
            Ok(answer) => Err(format!("{}: {}", answer.status, answer.body)),
            Err(error) => Err(error.to_string()),
        }
    })
    .await
    .unwrap()
}

/// Places `number` orders, sixteen at a time.
async fn place_many(shop: &Shop, sku: &str, number: usize) -> Vec<String> {
    stream::iter(0..number).map(|_| place(shop, sku)).buffer_unordered(16).collect().await
}

/// Every one of `ids` is another order, and each was bought.
async fn all_bought(shop: &Shop, ids: &[String]) {
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "an order was doubled");
    for id in ids {
        shop.wait_for_order(id, &["delivered"]).await.unwrap();
    }
    shop.assert_sound().await.unwrap();
}

/// Places orders while RabbitMQ has raised its memory alarm and reads nothing from who publishes. They are taken, the service says
/// why their events do not leave, and nobody tries again and again on connections that the broker cannot close.
async fn place_under_alarm(shop: &Shop) -> Vec<String> {
    let Servers::Own { rabbitmq, .. } = &shop.servers else {
        unreachable!("own servers were asked for")
    };
    rabbitmq.set_memory_alarm(true).await.unwrap();
    let ids = place_many(shop, "KB-1", 30).await;
    wait_for("the order service says why its events do not leave", SHORTLY, async || {
        let ready = shop.get("order", "/health/ready").await.unwrap().body.to_string();
        if ready.contains("alarm") { Ok(()) } else { Err(ready) }
    })
    .await
    .unwrap();
    // Longer than the relay waits for the confirms of a round, twice.
    let raised = Instant::now();
    wait_for("the alarm has lasted", SHORTLY, async || {
        if raised.elapsed() > ALARM { Ok(()) } else { Err(format!("{:?}", raised.elapsed())) }
    })
    .await
    .unwrap();
    // Every connection of a service has a name of its own; who connects again is there twice. A service that has just started
    // may connect at any time.
    let mut names: Vec<String> = (rabbitmq.management().connections().await.unwrap().into_iter())
        .map(|connection| connection.client_name)
        .filter(|name| !name.is_empty())
        .collect();
    names.sort_unstable();
    let twice: Vec<_> = names.windows(2).filter(|pair| pair[0] == pair[1]).collect();
    assert!(twice.is_empty(), "connections pile up under the alarm: {names:?}");
    assert!(names.contains(&"order: publisher".to_owned()), "{names:?}");
    rabbitmq.set_memory_alarm(false).await.unwrap();
    ids
}

#[tokio::test]
async fn kills_lose_and_double_nothing() {
    // Each of what follows ends with deliveries; the built-in carrier would take five seconds for them.
    let mut shop = Shop::open_on_own_servers(&[("DELIVER_AFTER", "1")]).await.unwrap();
    let born = Instant::now();
    shop.stocked_product("极光 F87 机械键盘", "KB-1", 32_900, 10_000).await.unwrap();
    let mut sold = 0;

    for service in SERVICES {
        let (before, during) = (10, 20);
        let mut ids = place_many(&shop, "KB-1", before).await;
        shop.kill(service).await.unwrap();
        if service == "order" {
            // Nobody takes orders meanwhile; those under way are finished when it is back.
            shop.launch(service).unwrap();
            ids.extend(place_many(&shop, "KB-1", during).await);
        } else {
            ids.extend(place_many(&shop, "KB-1", during).await);
            shop.launch(service).unwrap();
        }
        shop.wait_until_ready().await.unwrap();
        all_bought(&shop, &ids).await;
        sold += i64::try_from(ids.len()).unwrap();
        assert_eq!(
            shop.level("KB-1").await.unwrap(),
            (10_000 - sold, 0, 10_000 - sold),
            "after {service}"
        );
    }

    let ids = place_under_alarm(&shop).await;
    all_bought(&shop, &ids).await;
    sold += i64::try_from(ids.len()).unwrap();

    let mut ids = place_many(&shop, "KB-1", 50).await;
    let Servers::Own { postgres, .. } = &mut shop.servers else {
        unreachable!("own servers were asked for")
    };
    postgres.kill().await.unwrap();
    postgres.restart().await.unwrap();
    ids.extend(place_many(&shop, "KB-1", 100).await);
    shop.wait_until_ready().await.unwrap();
    all_bought(&shop, &ids).await;
    sold += i64::try_from(ids.len()).unwrap();

    wait_for("the queues are old enough", OLD_ENOUGH, async || {
        if born.elapsed() > OLD_ENOUGH { Ok(()) } else { Err(format!("{:?}", born.elapsed())) }
    })
    .await
    .unwrap();
    let mut ids = place_many(&shop, "KB-1", 50).await;
    let Servers::Own { rabbitmq, .. } = &mut shop.servers else {
        unreachable!("own servers were asked for")
    };
    rabbitmq.kill().await.unwrap();
    // Orders are taken on though there is no broker: the outbox keeps them.
    ids.extend(place_many(&shop, "KB-1", 100).await);
    let Servers::Own { rabbitmq, .. } = &mut shop.servers else {
        unreachable!("own servers were asked for")
    };
    rabbitmq.restart().await.unwrap();
    ids.extend(place_many(&shop, "KB-1", 50).await);
    shop.wait_until_ready().await.unwrap();
    all_bought(&shop, &ids).await;
    sold += i64::try_from(ids.len()).unwrap();
    assert_eq!(shop.level("KB-1").await.unwrap(), (10_000 - sold, 0, 10_000 - sold));
    shop.close().await.unwrap();
}
