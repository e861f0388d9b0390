//! What the order service does while the broker is away.

use std::time::Instant;

use serde_json::json;
use testkit::wait_for;

use crate::shop::{Deadlines, SOON, Shop, wanted};

/// How many events may wait in the outbox here.
const BOUND: i64 = 12;

#[tokio::test]
async fn orders_are_taken_without_a_broker_until_the_outbox_is_full() {
    let mut shop = Shop::open(Deadlines::NONE).await;
    shop.sell(&[("KB-RED", 100)]).await;
    let proxy = shop.restart_behind_proxy(BOUND).await;
    let (me, client) = shop.customer();
    let body = wanted(me, &[("KB-RED", 1)], "manual");
    let first = client.post("/v1/orders", &body).await.expect(202);
    client.wait(first["id"].as_str().unwrap(), "reserved").await;
    proxy.refuse().await;
    proxy.cut();

    let mut orders = vec![first];
    for _ in 0..3 {
        orders.push(client.post("/v1/orders", &body).await.expect(202));
    }
    wait_for("the service says that events do not leave", SOON, async || {
        let ready = shop.nobody.get("/health/ready").await;
        let reason = &ready.body["components"]["outbox"]["reason"];
        let stuck = reason.as_str().is_some_and(|text| text.starts_with("events do not leave: "));
        if stuck { Ok(()) } else { Err(ready.body) }
    })
    .await
    .unwrap();
    // Lesser writes are refused by now; an order is none.
    orders.push(client.post("/v1/orders", &body).await.expect(202));
    let began = Instant::now();
    let refused = loop {
        let answer = client.post("/v1/orders", &body).await;
        if answer.status == 503 {
            break answer;
        }
        orders.push(answer.expect(202));
        assert!(began.elapsed() < SOON, "{} orders are taken", orders.len());
    };
    assert_eq!(refused.problem(), (503, "outbox_full"));
    let paid = format!("/v1/orders/{}/payment", orders[0]["id"].as_str().unwrap());
    assert_eq!(client.post(&paid, &json!({})).await.problem(), (503, "outbox_full"));

    proxy.heal().await;
    wait_for("orders are taken again", SOON, async || {
        let answer = client.post("/v1/orders", &body).await;
        if answer.status == 202 { Ok(()) } else { Err(answer.body) }
    })
    .await
    .unwrap();
    for order in &orders {
        client.wait(order["id"].as_str().unwrap(), "reserved").await;
    }
    shop.close().await;
}
