//! Two instances of every service: both take requests, they divide the events, and one carries on alone when the other is
//! killed or hangs.

#![expect(
    clippy::print_stdout,
    reason = "how long a takeover took is of interest to who reads the test's output"
)]

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use reqwest::Method;
use runtime::auth::Scope;
use serde_json::json;
use system_tests::{SERVICES, Shop, second};
use testkit::wait_for;
use uuid::Uuid;

/// How long anything may take that happens by itself.
const SHORTLY: Duration = Duration::from_mins(1);

/// How long it may take until a killed instance's work is done by the other: far less than its seat would last.
const AFTER_DEATH: Duration = Duration::from_millis(2_500);

/// The same for an instance that hangs: its seat lasts for three seconds, and the broker takes its connection for alive for six.
const AFTER_HANG: Duration = Duration::from_secs(10);

/// Places an order as a good client does: at one of `instances`, with a key, again and again until it is taken.
async fn place(shop: &Shop, instances: &[&str], turn: usize) -> String {
    let (buyer, key) = (Uuid::now_v7().to_string(), Uuid::now_v7().to_string());
    let token = shop.token(&buyer, &[Scope::OrdersWrite]).unwrap();
    let body = json!({
        "customer_id": buyer,
        "lines": [{ "sku": "KB-1", "quantity": 1 }],
        "shipping_address": { "name": "Test Buyer", "line1": "Example Street 1", "city": "Hangzhou", "country": "CN" },
        "payment": { "method": "test" },
    });
    let tries = AtomicUsize::new(turn);
    wait_for("the order is taken", SHORTLY, async || {
        // A request that met with a dead instance is sent again, to the other one if there is another.
        let instance = instances[tries.fetch_add(1, Ordering::Relaxed) % instances.len()];
        let headers = [("idempotency-key", key.as_str())];
        let (path, token) = ("/v1/orders", Some(token.as_str()));
        match shop.call(Method::POST, instance, path, token, &headers, Some(&body)).await {
            Ok(answer) if answer.status.as_u16() == 202 => Ok(answer.text("/id")),
            Ok(answer) => Err(format!("{}: {}", answer.status, answer.body)),
            Err(error) => Err(error.to_string()),
        }
    })
    .await
    .unwrap()
}

/// Places `number` orders at `instances` in turn, eight at a time.
async fn place_many(shop: &Shop, instances: &[&str], number: usize) -> Vec<String> {
    stream::iter(0..number)
        .map(|turn| place(shop, instances, turn))
        .buffer_unordered(8)
        .collect()
        .await
}

/// Changes the price `times` times at `instances` in turn, and waits until every service has heard of the last.
async fn change_price(shop: &Shop, id: &str, instances: &[&str], times: i64) {
    let token = shop.token("tester", &[Scope::CatalogWrite]).unwrap();
    let mut change = String::new();
    for (turn, instance) in (0..times).zip(instances.iter().cycle()) {
        let body = json!({
            "title": { "zh": "极光 F87 机械键盘" }, "description": { "zh": "测试商品" }, "brand": "极光",
            "category": "数码/电脑外设/机械键盘", "attributes": { "轴体": "红轴" }, "images": [], "status": "active",
            "variants": [{ "sku": "KB-1", "options": {}, "price": { "amount": 30_000 + turn, "currency": "CNY" } }],
        });
        let path = format!("/v1/products/{id}");
        let put = shop.call(Method::PUT, instance, &path, Some(&token), &[], Some(&body)).await;
        change = put.unwrap().expect_status(200).unwrap().header("change-id");
    }
    shop.wait_for_change(&change).await.unwrap();
}

/// Waits until the queues of every service are divided among `members` living instances, as evenly as can be.
async fn wait_for_shares(shop: &Shop, members: usize) -> Duration {
    let began = Instant::now();
    for service in SERVICES {
        let what = format!("the queues of {service} are divided among {members}");
        wait_for(&what, SHORTLY, async || {
            let (shares, queues) = shop.shares(service).await.unwrap();
            let even = shares.len() == members
                && queues > 0
                && shares.iter().sum::<i64>() == queues
                && shares.last().zip(shares.first()).is_some_and(|(most, least)| most - least <= 1);
            if even { Ok(()) } else { Err(format!("{shares:?} of {queues}")) }
        })
        .await
        .unwrap();
    }
    began.elapsed()
}

/// Every one of `ids` is another order, and each was bought.
async fn all_bought(shop: &Shop, ids: &[String]) {
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "an order was doubled");
    for id in ids {
        shop.wait_for_order(id, &["delivered"]).await.unwrap();
    }
    shop.assert_sound().await.unwrap();
}

/// How long it takes until an order that is placed now has been through all services that it concerns.
async fn first_bought(shop: &Shop, instance: &str) -> (String, Duration) {
    let began = Instant::now();
    let id = place(shop, &[instance], 0).await;
    // Whoever reads asks the instance that lives.
    let token = shop.token("tester", &[Scope::OrdersAdmin]).unwrap();
    let path = format!("/v1/orders/{id}");
    wait_for("the order is confirmed", SHORTLY, async || {
        match shop.call(Method::GET, instance, &path, Some(&token), &[], None).await {
            Ok(answer) if answer.text("/status") == "placed" => Err(answer.body.to_string()),
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    })
    .await
    .unwrap();
    (id, began.elapsed())
}

#[tokio::test]
async fn one_of_two_instances_is_killed_or_hangs_and_the_other_carries_on() {
    let mut shop = Shop::open().await.unwrap();
    let made = shop.stocked_product("极光 F87 机械键盘", "KB-1", 32_900, 10_000).await.unwrap();
    let product = made.text("/id");
    shop.launch_seconds().await.unwrap();
    let divided = wait_for_shares(&shop, 2).await;
    println!("the seconds have their shares {divided:?} after they were ready");
    let (orders, catalogues) = (["order", "order-2"], ["product-catalog", "product-catalog-2"]);
    let mut ids = place_many(&shop, &orders, 60).await;
    change_price(&shop, &product, &catalogues, 20).await;

    // The first instance of every service is killed while orders are placed.
    let mut under_way = place_many(&shop, &orders, 40).await;
    for service in SERVICES {
        shop.kill(service).await.unwrap();
    }
    let ((id, bought), taken) =
        tokio::join!(first_bought(&shop, "order-2"), wait_for_shares(&shop, 1));
    println!(
        "killed: the queues were taken over after {taken:?}, the next order was reserved after {bought:?}"
    );
    assert!(taken < AFTER_DEATH, "{taken:?}");
    ids.append(&mut under_way);
    ids.push(id);
    ids.extend(place_many(&shop, &["order-2"], 40).await);
    for service in SERVICES {
        shop.launch(service).unwrap();
    }
    shop.wait_until_ready().await.unwrap();
    wait_for_shares(&shop, 2).await;
    change_price(&shop, &product, &catalogues, 20).await;
    all_bought(&shop, &ids).await;

    // The second instance of every service hangs for longer than its seat lasts, and then goes on.
    ids.extend(place_many(&shop, &orders, 40).await);
    for service in SERVICES {
        shop.pause(&second(service)).unwrap();
    }
    let ((id, bought), taken) =
        tokio::join!(first_bought(&shop, "order"), wait_for_shares(&shop, 1));
    println!(
        "hanging: the queues were taken over after {taken:?}, the next order was reserved after {bought:?}"
    );
    assert!(taken < AFTER_HANG && bought < AFTER_HANG, "{taken:?}, {bought:?}");
    ids.push(id);
    change_price(&shop, &product, &["product-catalog"], 20).await;
    for service in SERVICES {
        shop.resume(&second(service)).unwrap();
    }
    shop.wait_until_ready().await.unwrap();
    wait_for_shares(&shop, 2).await;
    ids.extend(place_many(&shop, &orders, 40).await);
    change_price(&shop, &product, &catalogues, 20).await;
    all_bought(&shop, &ids).await;
    let left = 10_000 - i64::try_from(ids.len()).unwrap();
    assert_eq!(shop.level("KB-1").await.unwrap(), (left, 0, left));
    // The audit compares the index of the first.
    let ops = shop.token("tester", &[Scope::Ops]).unwrap();
    let (instance, path) = (second("search-sync"), "/v1/index/drift");
    let drift = shop.call(Method::GET, &instance, path, Some(&ops), &[], None).await.unwrap();
    assert_eq!(drift.body["differing"], json!(0), "{}", drift.body);
    shop.close().await.unwrap();
}
