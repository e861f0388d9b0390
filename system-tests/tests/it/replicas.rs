//! Two instances of every service: both serve requests and share the queues; one takes over when the other is
//! killed or hangs.

#![expect(clippy::print_stdout, reason = "the test prints the times of takeovers")]

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

/// Timeout of asynchronous effects.
const TIMEOUT: Duration = Duration::from_mins(1);

/// The limit of a takeover after a kill: much less than the TTL of a membership.
const KILL_TAKEOVER: Duration = Duration::from_millis(2_500);

/// The limit of a takeover after a hang: the membership has a TTL of three seconds, and the broker closes the
/// connection after six.
const HANG_TAKEOVER: Duration = Duration::from_secs(10);

/// Places an order with an idempotency key and retries, alternating between `instances`, until it is
/// accepted.
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
    wait_for("the order is accepted", TIMEOUT, async || {
        // A failed request is retried at the next instance.
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

/// Places `number` orders, alternating between `instances`, eight concurrently.
async fn place_many(shop: &Shop, instances: &[&str], number: usize) -> Vec<String> {
    stream::iter(0..number)
        .map(|turn| place(shop, instances, turn))
        .buffer_unordered(8)
        .collect()
        .await
}

/// Changes the price `times` times, alternating between `instances`, and waits until all services have
/// applied the last change.
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

/// Waits until the queues of every service are evenly assigned to `members` live instances.
async fn wait_for_assignment(shop: &Shop, members: usize) -> Duration {
    let began = Instant::now();
    for service in SERVICES {
        let what = format!("{members} instances share the queues of {service}");
        wait_for(&what, TIMEOUT, async || {
            let (queue_counts, queues) = shop.queue_counts(service).await.unwrap();
            let is_even = queue_counts.len() == members
                && queues > 0
                && queue_counts.iter().sum::<i64>() == queues
                && queue_counts
                    .last()
                    .zip(queue_counts.first())
                    .is_some_and(|(most, least)| most - least <= 1);
            if is_even { Ok(()) } else { Err(format!("{queue_counts:?} of {queues}")) }
        })
        .await
        .unwrap();
    }
    began.elapsed()
}

/// Asserts that the orders are distinct and delivered.
async fn assert_delivered(shop: &Shop, ids: &[String]) {
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "an order was duplicated");
    for id in ids {
        shop.wait_for_order(id, &["delivered"]).await.unwrap();
    }
    shop.assert_clean_audit().await.unwrap();
}

/// Places an order and returns the time until it is no longer `placed`.
async fn time_to_reservation(shop: &Shop, instance: &str) -> (String, Duration) {
    let began = Instant::now();
    let id = place(shop, &[instance], 0).await;
    // Reads from the live instance.
    let token = shop.token("tester", &[Scope::OrdersAdmin]).unwrap();
    let path = format!("/v1/orders/{id}");
    wait_for("the order is confirmed", TIMEOUT, async || {
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
async fn one_instance_takes_over_from_a_killed_or_hanging_one() {
    let mut shop = Shop::start().await.unwrap();
    let created = shop.stocked_product("极光 F87 机械键盘", "KB-1", 32_900, 10_000).await.unwrap();
    let product = created.text("/id");
    shop.start_second_instances().await.unwrap();
    let assigned = wait_for_assignment(&shop, 2).await;
    println!("the second instances have their queues {assigned:?} after they were ready");
    let (orders, catalogues) = (["order", "order-2"], ["product-catalog", "product-catalog-2"]);
    let mut ids = place_many(&shop, &orders, 60).await;
    change_price(&shop, &product, &catalogues, 20).await;

    // The first instance of every service is killed while orders are placed.
    let mut concurrent = place_many(&shop, &orders, 40).await;
    for service in SERVICES {
        shop.kill(service).await.unwrap();
    }
    let ((id, reserved), taken) =
        tokio::join!(time_to_reservation(&shop, "order-2"), wait_for_assignment(&shop, 1));
    println!("killed: takeover after {taken:?}, next reservation after {reserved:?}");
    assert!(taken < KILL_TAKEOVER, "{taken:?}");
    ids.append(&mut concurrent);
    ids.push(id);
    ids.extend(place_many(&shop, &["order-2"], 40).await);
    for service in SERVICES {
        shop.launch(service).unwrap();
    }
    shop.wait_until_ready().await.unwrap();
    wait_for_assignment(&shop, 2).await;
    change_price(&shop, &product, &catalogues, 20).await;
    assert_delivered(&shop, &ids).await;

    // The second instance of every service is paused for longer than the TTL of its membership, then resumed.
    ids.extend(place_many(&shop, &orders, 40).await);
    for service in SERVICES {
        shop.pause(&second(service)).unwrap();
    }
    let ((id, reserved), taken) =
        tokio::join!(time_to_reservation(&shop, "order"), wait_for_assignment(&shop, 1));
    println!("hanging: takeover after {taken:?}, next reservation after {reserved:?}");
    assert!(taken < HANG_TAKEOVER && reserved < HANG_TAKEOVER, "{taken:?}, {reserved:?}");
    ids.push(id);
    change_price(&shop, &product, &["product-catalog"], 20).await;
    for service in SERVICES {
        shop.resume(&second(service)).unwrap();
    }
    shop.wait_until_ready().await.unwrap();
    wait_for_assignment(&shop, 2).await;
    ids.extend(place_many(&shop, &orders, 40).await);
    change_price(&shop, &product, &catalogues, 20).await;
    assert_delivered(&shop, &ids).await;
    let left = 10_000 - i64::try_from(ids.len()).unwrap();
    assert_eq!(shop.stock_of("KB-1").await.unwrap(), (left, 0, left));
    // The index of the second instance, after the audit of the first.
    let ops = shop.token("tester", &[Scope::Ops]).unwrap();
    let (instance, path) = (second("search-sync"), "/v1/index/drift");
    let drift = shop.call(Method::GET, &instance, path, Some(&ops), &[], None).await.unwrap();
    assert_eq!(drift.body["differing"], json!(0), "{}", drift.body);
    shop.stop().await.unwrap();
}
