//! Reading orders: get, list, long poll and event stream.

use std::time::{Duration, Instant};

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use runtime::auth::Scope;
use serde_json::{Value, json};
use testkit::percent_encoded;
use vocabulary::{CustomerId, OrderId};

use crate::shop::{Answer, Client, Deadlines, Shop};

#[tokio::test]
async fn order_is_readable_by_its_customer_and_by_admins() {
    let shop = Shop::open(Deadlines::NONE).await;
    let (me, client) = shop.customer();
    let id = client.place(me, "SILENT-1", "test").await;
    let (_, stranger) = shop.customer();
    let writer = shop.client(&me.to_string(), &[Scope::OrdersWrite]);
    for path in ["", "/timeline", "/events"].map(|rest| format!("/v1/orders/{id}{rest}")) {
        assert_eq!(shop.anonymous.get(&path).await.problem(), (401, "unauthorized"), "{path}");
        assert_eq!(writer.get(&path).await.problem(), (403, "insufficient_scope"), "{path}");
        assert_eq!(stranger.get(&path).await.problem(), (403, "not_yours"), "{path}");
    }
    assert_eq!(
        stranger.post(&format!("/v1/orders/{id}/cancel"), &json!({})).await.problem(),
        (403, "not_yours")
    );
    let unknown = format!("/v1/orders/{}", OrderId::new());
    assert_eq!(shop.admin().get(&unknown).await.problem(), (404, "not_found"));
    assert_eq!(client.get("/v1/orders/one").await.problem(), (400, "invalid_path"));
    assert_eq!(client.get(&format!("/v1/orders/{id}")).await.expect(200)["id"], json!(id));
    assert_eq!(shop.admin().get(&format!("/v1/orders/{id}")).await.expect(200)["id"], json!(id));
    assert_eq!(shop.admin().timeline(&id).await, ["order order.placed.v1"]);
    shop.close().await;
}

#[tokio::test]
async fn a_customer_does_not_learn_which_orders_exist() {
    let shop = Shop::open(Deadlines::NONE).await;
    let (me, client) = shop.customer();
    let id = client.place(me, "SILENT-1", "test").await;
    let (_, stranger) = shop.customer();
    let without_trace = |mut answer: Answer| {
        answer.body["trace_id"] = Value::Null;
        (answer.status, answer.body)
    };
    for path in ["", "/timeline", "/events", "/money"] {
        let foreign = stranger.get(&format!("/v1/orders/{id}{path}")).await;
        let unknown = stranger.get(&format!("/v1/orders/{}{path}", OrderId::new())).await;
        assert_eq!(without_trace(unknown), without_trace(foreign), "{path}");
    }
    for (path, body) in [
        ("cancel", json!({})),
        ("extend-hold", json!({})),
        ("payment", json!({"outcome": "approve"})),
        ("authorisation", json!({"token": "tok_1"})),
    ] {
        let foreign = stranger.post(&format!("/v1/orders/{id}/{path}"), &body).await;
        let unknown = stranger.post(&format!("/v1/orders/{}/{path}", OrderId::new()), &body).await;
        assert_eq!(unknown.problem(), (403, "not_yours"), "{path}");
        assert_eq!(without_trace(unknown), without_trace(foreign), "{path}");
    }
    shop.close().await;
}

#[tokio::test]
async fn orders_of_a_span_of_time_are_listed() {
    let shop = Shop::open(Deadlines::NONE).await;
    let (me, client) = shop.customer();
    let mut orders = Vec::new();
    for _ in 0..3 {
        orders.push(client.place(me, "SILENT-1", "test").await);
    }
    // Times with the offset of a shop in Shanghai.
    let shanghai = FixedOffset::east_opt(8 * 3_600).unwrap();
    let newest: DateTime<Utc> = sqlx::query_scalar("select max(placed_at) from orders")
        .fetch_one(&shop.order)
        .await
        .unwrap();
    let at = |minute: i64| {
        let time = newest.with_timezone(&shanghai) + TimeDelta::minutes(minute);
        percent_encoded(&time.to_rfc3339())
    };
    for (order, minute) in orders.iter().zip([-2, -1, 0]) {
        let _: i32 =
            sqlx::query_scalar("update orders set placed_at = $1 where id = $2::uuid returning 1")
                .bind(newest + TimeDelta::minutes(minute))
                .bind(order)
                .fetch_one(&shop.order)
                .await
                .unwrap();
    }
    let list = async |client: &Client, query: &str| -> Vec<Value> {
        let page = client.get(&format!("/v1/orders?{query}")).await.expect(200);
        page["items"].as_array().unwrap().iter().map(|order| order["id"].clone()).collect()
    };
    let span = format!("placed_from={}&placed_to={}", at(-1), at(0));
    for client in [&client, &shop.admin()] {
        for query in [span.clone(), format!("{span}&status=placed")] {
            assert_eq!(list(client, &query).await, [json!(orders[1])], "{query}");
        }
        let later = [json!(orders[2]), json!(orders[1])];
        assert_eq!(list(client, &format!("placed_from={}", at(-1))).await, later);
        let earlier = [json!(orders[0])];
        assert_eq!(list(client, &format!("placed_to={}", at(-1))).await, earlier);
        let years_ago = "placed_to=2020-01-01T00:00:00Z";
        assert_eq!(list(client, years_ago).await, Vec::<Value>::new());
    }
    let invalid = client.get("/v1/orders?placed_from=yesterday").await;
    assert_eq!(invalid.problem(), (400, "invalid_query"));
    shop.close().await;
}

#[tokio::test]
async fn list_is_paged_from_newest_to_oldest() {
    let shop = Shop::open(Deadlines::NONE).await;
    let (me, client) = shop.customer();
    let (other, stranger) = shop.customer();
    let mut mine = Vec::new();
    for _ in 0..5 {
        mine.push(client.place(me, "SILENT-1", "test").await);
    }
    stranger.place(other, "SILENT-1", "test").await;
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

    let others = format!("/v1/orders?customer_id={other}");
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
async fn wait_ends_when_the_status_is_reached_or_unreachable() {
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
    // A change ends the wait at once, without the next poll.
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
async fn event_stream_reaches_the_end_without_gaps() {
    let quick = Duration::from_millis(300);
    let shop = Shop::open(Deadlines { ship: quick, deliver: quick, ..Deadlines::NONE }).await;
    shop.sell(&[("KB-RED", 100)]).await;
    let (me, client) = shop.customer();
    let id = client.place(me, "KB-RED", "manual").await;
    client.wait(&id, "reserved").await;
    let pay = format!("/v1/orders/{id}/payment");
    let body = json!({});
    let (events, paid) =
        tokio::join!(client.stream_events(&id, None, usize::MAX), client.post(&pay, &body));
    paid.expect(200);
    let received: Vec<(&str, &str)> = events
        .iter()
        .map(|(_, data)| (data["event"].as_str().unwrap(), data["status"].as_str().unwrap()))
        .filter(|(event, _)| *event != "stock.deducted.v1")
        .collect();
    let expected = [
        ("stock.reserved.v1", "reserved"),
        ("payment.approved", "reserved"),
        ("order.confirmed.v1", "confirmed"),
        ("order.shipped.v1", "shipped"),
        ("order.delivered.v1", "delivered"),
    ];
    // The stream may start before or after the payment.
    assert!(expected.ends_with(&received) && received.len() >= 3, "{received:?}");
    assert!(events.iter().all(|(_, data)| data["id"] == json!(id)));

    // A client resumes with `Last-Event-ID`.
    let all = client.timeline_with(&id, "inventory stock.deducted.v1").await.len();
    let again = client.stream_events(&id, Some("0"), all).await;
    assert_eq!(again.len(), all);
    let rest = client.stream_events(&id, Some(&again[1].0), all - 2).await;
    assert_eq!(rest[0].1["event"], again[2].1["event"]);
    // A client that has seen the last event gets 204.
    assert_eq!(client.stream_status(&id, &again[all - 1].0).await, 204);
    // The stream of an ended order has one event.
    let over = client.stream_events(&id, None, usize::MAX).await;
    assert_eq!((over.len(), &over[0].1["status"]), (1, &json!("delivered")));
    let (_, stranger) = (CustomerId::new(), shop.customer().1);
    assert_eq!(
        stranger.get(&format!("/v1/orders/{id}/events")).await.problem(),
        (403, "not_yours")
    );
    shop.close().await;
}
