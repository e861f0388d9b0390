//! Two instances of the service side by side.

use std::time::Duration;

use runtime::auth::Scope;
use service_testkit::LONGEST_WAIT;
use sqlx::AssertSqlSafe;
use testkit::wait_for;

use crate::shop::{Deadlines, Shop, order_request};

#[tokio::test]
async fn two_instances_share_the_work_without_duplicates() {
    const ORDERS: usize = 60;
    let moment = Duration::from_millis(100);
    let mut shop =
        Shop::open(Deadlines { ship: moment, deliver: moment, pay: moment, ..Deadlines::NONE })
            .await;
    let other = shop.start_instance().await;
    shop.sell(&[("KB-RED", 100)]).await;
    let (me, client) = shop.customer();
    let at_other =
        shop.client_of(&other, &me.to_string(), &[Scope::OrdersWrite, Scope::OrdersRead]);
    let mut placing = tokio::task::JoinSet::new();
    for number in 0..ORDERS {
        // The two requests of a pair have the same key and go to different instances.
        let (client, key) = (
            if number % 2 == 0 { client.clone() } else { at_other.clone() },
            format!("k{}", number / 2),
        );
        let method = if number / 2 % 2 == 0 { "test" } else { "manual" };
        let body = order_request(me, &[("KB-RED", 1)], method);
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
    // A long poll at one instance sees changes by the other one.
    for id in &ids {
        let read = at_other
            .get(&format!("/v1/orders/{id}?wait_for=delivered&wait_ms=30000"))
            .await
            .expect(200);
        assert!(["delivered", "expired"].contains(&read["status"].as_str().unwrap()), "{read}");
    }
    for event in ["order.placed.v1", "order.delivered.v1", "order.expired.v1"] {
        let counts: Vec<i64> = sqlx::query_scalar(
            "select count(*) from order_timeline where event = $1 group by order_id",
        )
        .bind(event)
        .fetch_all(&shop.order)
        .await
        .unwrap();
        let orders = if event == "order.placed.v1" { ORDERS / 2 } else { ORDERS / 4 };
        assert_eq!(counts, vec![1; orders], "{event}");
    }
    wait_for("inventory has caught up", LONGEST_WAIT, async || {
        let states: Vec<(String, i64, i64)> = sqlx::query_as(
            "select state, end_events, count(*) from reservation group by 1, 2 order by 1",
        )
        .fetch_all(shop.inventory.outbox().pool())
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

#[tokio::test]
async fn a_key_that_another_instance_uses_meanwhile_places_nothing() {
    let shop = Shop::open(Deadlines::NONE).await;
    shop.sell(&[("KB-RED", 100)]).await;
    let (me, client) = shop.customer();
    // The other instance has answered a request with another body, and has not committed yet.
    let mut other = shop.order.begin().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(format!(
        "insert into idempotency.request (caller, operation, key, fingerprint, status, headers, body)
         values ('{me}', 'place_order', 'k1', '', 202, '[]', '{{}}')",
    )))
    .execute(&mut *other)
    .await
    .unwrap();
    let body = order_request(me, &[("KB-RED", 1)], "test");
    let placing = client.send(reqwest::Method::POST, "/v1/orders", Some(&body), Some("k1"));
    let committing = async {
        wait_for("the order waits for its key", LONGEST_WAIT, async || {
            let waiting = "select count(*) from pg_stat_activity
                           where datname = current_database() and wait_event_type = 'Lock'";
            if shop.count(waiting).await == 1 { Ok(()) } else { Err("it does not wait") }
        })
        .await
        .unwrap();
        other.commit().await.unwrap();
    };
    let (placed, ()) = tokio::join!(placing, committing);
    assert_eq!(placed.problem(), (422, "idempotency_key_reused"));
    assert_eq!(shop.count("select count(*) from orders").await, 0);
    shop.close().await;
}
