//! The service while the broker is unavailable.

use std::time::Instant;

use serde_json::json;
use service_testkit::LONGEST_WAIT;
use testkit::wait_for;

use crate::shop::{Deadlines, Shop, order_request};

/// The capacity of the outbox in this test.
const OUTBOX_ROWS: i64 = 12;

#[tokio::test]
async fn orders_are_placed_without_a_broker_until_the_outbox_fills() {
    let mut shop = Shop::open(Deadlines::NONE).await;
    shop.sell(&[("KB-RED", 100)]).await;
    let proxy = shop.restart_behind_proxy(OUTBOX_ROWS).await;
    let (me, client) = shop.customer();
    let body = order_request(me, &[("KB-RED", 1)], "manual");
    let first = client.post("/v1/orders", &body).await.expect(202);
    client.wait(first["id"].as_str().unwrap(), "reserved").await;
    proxy.refuse().await;
    proxy.cut();

    let mut orders = vec![first];
    for _ in 0..3 {
        orders.push(client.post("/v1/orders", &body).await.expect(202));
    }
    wait_for("the service reports that events do not leave", LONGEST_WAIT, async || {
        let ready = shop.anonymous.get("/health/ready").await;
        let reason = &ready.body["components"]["outbox"]["reason"];
        let stuck =
            reason.as_str().is_some_and(|text| text.starts_with("events cannot be published: "));
        if stuck { Ok(()) } else { Err(ready.body) }
    })
    .await
    .unwrap();
    // Deferrable writes are refused now; an order is critical.
    orders.push(client.post("/v1/orders", &body).await.expect(202));
    let began = Instant::now();
    let refused = loop {
        let answer = client.post("/v1/orders", &body).await;
        if answer.status == 503 {
            break answer;
        }
        orders.push(answer.expect(202));
        assert!(began.elapsed() < LONGEST_WAIT, "{} orders are placed", orders.len());
    };
    assert_eq!(refused.problem(), (503, "outbox_full"));
    let paid = format!("/v1/orders/{}/payment", orders[0]["id"].as_str().unwrap());
    assert_eq!(client.post(&paid, &json!({})).await.problem(), (503, "outbox_full"));

    proxy.heal().await;
    wait_for("orders are placed again", LONGEST_WAIT, async || {
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
