//! Reading orders: one, many, waiting for them, and following them live.

use std::time::{Duration, Instant};

use runtime::auth::Scope;
use serde_json::{Value, json};
use vocabulary::{CustomerId, OrderId};

use crate::shop::{Deadlines, Shop};

#[tokio::test]
async fn an_order_is_read_by_its_owner_and_by_the_shop() {
    let shop = Shop::open(Deadlines::NONE).await;
    let (me, client) = shop.customer();
    let id = client.place(me, "SILENT-1", "test").await;
    let (_, stranger) = shop.customer();
    let writer = shop.client(&me.to_string(), &[Scope::OrdersWrite]);
    for path in ["", "/timeline", "/events"].map(|rest| format!("/v1/orders/{id}{rest}")) {
        assert_eq!(shop.nobody.get(&path).await.problem(), (401, "unauthorized"), "{path}");
        assert_eq!(writer.get(&path).await.problem(), (403, "insufficient_scope"), "{path}");
        assert_eq!(stranger.get(&path).await.problem(), (403, "not_yours"), "{path}");
    }
    assert_eq!(
        stranger.post(&format!("/v1/orders/{id}/cancel"), &json!({})).await.problem(),
        (403, "not_yours")
    );
    let nowhere = format!("/v1/orders/{}", OrderId::new());
    assert_eq!(client.get(&nowhere).await.problem(), (404, "not_found"));
    assert_eq!(client.get("/v1/orders/one").await.problem(), (400, "invalid_path"));
    assert_eq!(client.get(&format!("/v1/orders/{id}")).await.expect(200)["id"], json!(id));
    assert_eq!(shop.admin().get(&format!("/v1/orders/{id}")).await.expect(200)["id"], json!(id));
    assert_eq!(shop.admin().timeline(&id).await, ["order order.placed.v1"]);
    shop.close().await;
}

#[tokio::test]
async fn lists_go_from_the_newest_to_the_oldest_page_by_page() {
    let shop = Shop::open(Deadlines::NONE).await;
    let (me, client) = shop.customer();
    let (them, stranger) = shop.customer();
    let mut mine = Vec::new();
    for _ in 0..5 {
        mine.push(client.place(me, "SILENT-1", "test").await);
    }
    stranger.place(them, "SILENT-1", "test").await;
    client.post(&format!("/v1/orders/{}/cancel", mine[2]), &json!({})).await.expect(200);
    mine.reverse();

    let ids = |page: &Value| -> Vec<String> {
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|order| order["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let first = client.get("/v1/orders?limit=3").await.expect(200);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = client.get(&format!("/v1/orders?limit=3&cursor={cursor}")).await.expect(200);
    assert_eq!([ids(&first), ids(&second)].concat(), mine);
    assert!(second.get("next_cursor").is_none());
    let admin = shop.admin();
    assert_eq!(admin.get("/v1/orders").await.expect(200)["items"].as_array().unwrap().len(), 6);
    let cancelled = admin.get("/v1/orders?status=cancelled").await.expect(200);
    assert_eq!(ids(&cancelled), [mine[2].clone()]);
    let of_mine =
        admin.get(&format!("/v1/orders?customer_id={me}&status=placed")).await.expect(200);
    assert_eq!(ids(&of_mine).len(), 4);

    let others = format!("/v1/orders?customer_id={them}");
    assert_eq!(client.get(&others).await.problem(), (403, "not_yours"));
    let program = shop.client("a program", &[Scope::OrdersRead]);
    assert_eq!(program.get("/v1/orders").await.expect(200)["items"], json!([]));
    for bad in ["limit=0", "limit=101", "cursor=%21", "status=lost", "customer_id=me", "page=2"] {
        assert_eq!(
            client.get(&format!("/v1/orders?{bad}")).await.problem(),
            (400, "invalid_query"),
            "{bad}"
        );
    }
    shop.close().await;
}

#[tokio::test]
async fn who_waits_is_answered_when_it_comes_or_cannot_come_any_more() {
    let shop = Shop::open(Deadlines::NONE).await;
    shop.sell(&[("KB-RED", 100), ("OUT-1", 100)]).await;
    let (me, client) = shop.customer();
    let id = client.place(me, "OUT-1", "test").await;
    let begun = Instant::now();
    let path = format!("/v1/orders/{id}?wait_for=confirmed&wait_ms=30000");
    assert_eq!(client.get(&path).await.expect(200)["status"], "rejected");
    let path = format!("/v1/orders/{id}?wait_for=rejected");
    assert_eq!(client.get(&path).await.expect(200)["status"], "rejected");
    assert!(begun.elapsed() < Duration::from_secs(20));

    let id = client.place(me, "KB-RED", "manual").await;
    client.wait(&id, "reserved").await;
    let begun = Instant::now();
    let path = format!("/v1/orders/{id}?wait_for=confirmed&wait_ms=150");
    assert_eq!(client.get(&path).await.expect(200)["status"], "reserved");
    assert!(begun.elapsed() >= Duration::from_millis(150));
    // A change wakes who waits, long before the next look would find it.
    let path = format!("/v1/orders/{id}?wait_for=confirmed");
    let pay = format!("/v1/orders/{id}/payment");
    let body = json!({});
    let (read, paid) = tokio::join!(client.get(&path), client.post(&pay, &body));
    assert_eq!(
        (&read.expect(200)["status"], &paid.expect(200)["status"]),
        (&json!("confirmed"), &json!("confirmed"))
    );
    assert_eq!(
        client.get(&format!("/v1/orders/{id}?wait_for=paid")).await.problem(),
        (400, "invalid_query")
    );
    shop.close().await;
}

#[tokio::test]
async fn an_order_is_followed_live_to_its_end_and_nothing_is_missed() {
    let quick = Duration::from_millis(300);
    let shop = Shop::open(Deadlines { ship: quick, deliver: quick, ..Deadlines::NONE }).await;
    shop.sell(&[("KB-RED", 100)]).await;
    let (me, client) = shop.customer();
    let id = client.place(me, "KB-RED", "manual").await;
    client.wait(&id, "reserved").await;
    let pay = format!("/v1/orders/{id}/payment");
    let body = json!({});
    let (events, paid) =
        tokio::join!(client.follow(&id, None, usize::MAX), client.post(&pay, &body));
    paid.expect(200);
    let told: Vec<(&str, &str)> = events
        .iter()
        .map(|(_, data)| (data["event"].as_str().unwrap(), data["status"].as_str().unwrap()))
        .filter(|(event, _)| *event != "stock.deducted.v1")
        .collect();
    let way = [
        ("stock.reserved.v1", "reserved"),
        ("payment.approved", "reserved"),
        ("order.confirmed.v1", "confirmed"),
        ("order.shipped.v1", "shipped"),
        ("order.delivered.v1", "delivered"),
    ];
    // Whether the payment was there when the stream began is chance: then it begins with what came of it.
    assert!(way.ends_with(&told) && told.len() >= 3, "{told:?}");
    assert!(events.iter().all(|(_, data)| data["id"] == json!(id)));

    // Who comes back says what it saw last.
    let all = client.timeline_with(&id, "inventory stock.deducted.v1").await.len();
    let again = client.follow(&id, Some("0"), all).await;
    assert_eq!(again.len(), all);
    let rest = client.follow(&id, Some(&again[1].0), all - 2).await;
    assert_eq!(rest[0].1["event"], again[2].1["event"]);
    // Who has seen the end is told not to come back.
    assert_eq!(client.follow_status(&id, &again[all - 1].0).await, 204);
    // An order that is over is told in one event.
    let over = client.follow(&id, None, usize::MAX).await;
    assert_eq!((over.len(), &over[0].1["status"]), (1, &json!("delivered")));
    let (_, stranger) = (CustomerId::new(), shop.customer().1);
    assert_eq!(
        stranger.get(&format!("/v1/orders/{id}/events")).await.problem(),
        (403, "not_yours")
    );
    shop.close().await;
}
