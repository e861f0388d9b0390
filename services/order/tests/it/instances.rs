//! Two instances of the service side by side.

use std::time::Duration;

use runtime::auth::Scope;
use testkit::wait_for;

use crate::shop::{Deadlines, SOON, Shop, wanted};

#[tokio::test]
async fn two_instances_share_the_work_and_do_nothing_twice() {
    const ORDERS: usize = 60;
    let moment = Duration::from_millis(100);
    let mut shop =
        Shop::open(Deadlines { ship: moment, deliver: moment, pay: moment, ..Deadlines::NONE })
            .await;
    let other = shop.start_instance().await;
    shop.sell(&[("KB-RED", 100)]).await;
    let (me, client) = shop.customer();
    let at_other = shop.known_to(&other, &me.to_string(), &[Scope::OrdersWrite, Scope::OrdersRead]);
    let mut placing = tokio::task::JoinSet::new();
    for number in 0..ORDERS {
        // Every pair has one key, and its two halves come to different instances at once.
        let (client, key) = (
            if number % 2 == 0 { client.clone() } else { at_other.clone() },
            format!("k{}", number / 2),
        );
        let method = if number / 2 % 2 == 0 { "test" } else { "manual" };
        let body = wanted(me, &[("KB-RED", 1)], method);
        placing.spawn(async move {
            client
                .send(reqwest::Method::POST, "/v1/orders", Some(&body), Some(&key))
                .await
                .expect(202)["id"]
                .clone()
        });
    }
    let mut ids = Vec::new();
    while let Some(id) = placing.join_next().await {
        ids.push(id.unwrap().as_str().unwrap().to_owned());
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), ORDERS / 2);
    // Whoever waits at one instance hears of what the other did.
    for id in &ids {
        let read = at_other
            .get(&format!("/v1/orders/{id}?wait_for=delivered&wait_ms=30000"))
            .await
            .expect(200);
        assert!(["delivered", "expired"].contains(&read["status"].as_str().unwrap()), "{read}");
    }
    for event in ["order.placed.v1", "order.delivered.v1", "order.expired.v1"] {
        let told: Vec<i64> = sqlx::query_scalar(
            "select count(*) from order_timeline where event = $1 group by order_id",
        )
        .bind(event)
        .fetch_all(&shop.order)
        .await
        .unwrap();
        let orders = if event == "order.placed.v1" { ORDERS / 2 } else { ORDERS / 4 };
        assert_eq!(told, vec![1; orders], "{event}");
    }
    wait_for("inventory has followed", SOON, async || {
        let states: Vec<(String, i64, i64)> = sqlx::query_as(
            "select state, told_over, count(*) from reservation group by 1, 2 order by 1",
        )
        .fetch_all(shop.inventory.pool())
        .await
        .unwrap();
        let half = i64::try_from(ORDERS / 4).unwrap();
        let expected = [("deducted".to_owned(), 0, half), ("released".to_owned(), 1, half)];
        if states == expected { Ok(()) } else { Err(format!("{states:?}")) }
    })
    .await
    .unwrap();
    shop.close().await;
}
