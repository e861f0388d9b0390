//! Placing orders: validation, refusals and idempotency keys.

use contracts::catalog::ProductStatus;
use reqwest::Method;
use runtime::auth::Scope;
use serde_json::{Value, json};
use vocabulary::{Currency, CustomerId, Money, ProductId, Version};

use crate::shop::{Deadlines, Shop, changed, order_request};

#[tokio::test]
async fn shop_sets_prices_and_lines_of_a_sku_are_merged() {
    let shop = Shop::open(Deadlines::NONE).await;
    shop.sell(&[("KB-RED", 12_900)]).await;
    let (me, client) = shop.customer();
    let body = order_request(me, &[("KB-RED", 1), ("KB-RED", 2)], "manual");
    let placed = client.post("/v1/orders", &body).await.expect(202);
    let lines = placed["lines"].as_array().unwrap();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["quantity"], 3);
    assert_eq!(lines[0]["unit_price"], json!({ "amount": 12_900, "currency": "CNY" }));
    assert_eq!(lines[0]["title"], json!({ "zh": "键盘 1" }));
    assert_eq!(placed["total"], json!({ "amount": 38_700, "currency": "CNY" }));
    let id = placed["id"].as_str().unwrap();
    let read = client.wait(id, "reserved").await;
    assert_eq!((&read["lines"], &read["total"]), (&placed["lines"], &placed["total"]));
    // A client cannot set a price.
    let mut with_price = body.clone();
    with_price["lines"][0]["unit_price"] = json!({ "amount": 1, "currency": "CNY" });
    assert_eq!(client.post("/v1/orders", &with_price).await.problem(), (422, "invalid_body"));
    shop.close().await;
}

#[tokio::test]
async fn every_invalid_field_is_listed() {
    let shop = Shop::open(Deadlines::NONE).await;
    let (me, client) = shop.customer();
    let empty = client.post("/v1/orders", &json!({})).await;
    assert_eq!(empty.problem(), (422, "validation_failed"));
    assert_eq!(empty.fields(), ["customer_id", "lines", "payment", "shipping_address"]);

    let wrong = json!({
        "customer_id": "me",
        "lines": [{ "sku": "a b", "quantity": 0 }, { "quantity": 1_000_001 }],
        "shipping_address": { "name": " ", "line1": "x".repeat(201), "country": "China", "phone": "1\n2" },
        "payment": { "method": "cash" },
    });
    let all = [
        "customer_id",
        "lines[0].quantity",
        "lines[0].sku",
        "lines[1].quantity",
        "lines[1].sku",
        "payment.method",
        "shipping_address.city",
        "shipping_address.country",
        "shipping_address.line1",
        "shipping_address.name",
        "shipping_address.phone",
    ];
    assert_eq!(client.post("/v1/orders", &wrong).await.fields(), all);

    for lines in [vec![], vec![("A", 1); 101], vec![("A", 1_000_000), ("A", 1)]] {
        let answer = client.post("/v1/orders", &order_request(me, &lines, "test")).await;
        assert_eq!((answer.problem().0, answer.fields()), (422, vec!["lines"]));
    }
    for (field, value) in
        [("voucher", json!("x")), ("lines", json!("x")), ("payment", json!({ "card": 1 }))]
    {
        let mut body = order_request(me, &[("A", 1)], "test");
        body[field] = value;
        assert_eq!(
            client.post("/v1/orders", &body).await.problem(),
            (422, "invalid_body"),
            "{field}"
        );
    }
    assert_eq!(shop.count("select count(*) from orders").await, 0);
    shop.close().await;
}

#[tokio::test]
async fn unsaleable_skus_and_invalid_totals_are_refused() {
    let shop = Shop::open(Deadlines::NONE).await;
    shop.sell(&[("KB-RED", 12_900), ("COSTLY", 1_000_000_000_000)]).await;
    let archived = ProductId::new();
    shop.publish_product(
        &changed(archived, 1, ProductStatus::Archived, &[("OLD", 100)]),
        archived,
        Version::FIRST,
    )
    .await;
    let mut foreign = changed(ProductId::new(), 1, ProductStatus::Active, &[("EURO", 100)]);
    foreign.variants[0].price = Money::new(100, Currency::EUR).unwrap();
    shop.publish_product(&foreign, foreign.product_id, Version::FIRST).await;

    let (me, client) = shop.customer();
    let place = async |lines: &[(&str, i64)]| {
        client.post("/v1/orders", &order_request(me, lines, "test")).await
    };
    let refused = place(&[("KB-RED", 1), ("OLD", 1)]).await;
    assert_eq!(
        (refused.problem(), &refused.body["skus"]),
        ((422, "sku_not_for_sale"), &json!(["OLD"]))
    );
    assert_eq!(place(&[("KB-RED", 1), ("EURO", 1)]).await.problem(), (422, "mixed_currencies"));
    assert_eq!(place(&[("COSTLY", 2)]).await.problem(), (422, "total_too_large"));
    assert_eq!(shop.count("select count(*) from orders").await, 0);
    shop.close().await;
}

#[tokio::test]
async fn concurrent_requests_with_one_key_place_one_order() {
    let shop = Shop::open(Deadlines::NONE).await;
    shop.sell(&[("KB-RED", 12_900)]).await;
    let archived = ProductId::new();
    shop.publish_product(
        &changed(archived, 1, ProductStatus::Archived, &[("OLD", 100)]),
        archived,
        Version::FIRST,
    )
    .await;
    let (me, client) = shop.customer();
    let body = order_request(me, &[("KB-RED", 1)], "manual");
    let send_three = async |body: &Value, key: &str| {
        let send = || client.send(Method::POST, "/v1/orders", Some(body), Some(key));
        let (one, two, three) = tokio::join!(send(), send(), send());
        assert_eq!((&one.body, one.status, &one.location), (&two.body, two.status, &two.location));
        assert_eq!((&one.body, one.status), (&three.body, three.status));
        one
    };
    let first = send_three(&body, "k1").await.expect(202);
    assert_eq!(shop.count("select count(*) from orders").await, 1);
    let later = client.send(Method::POST, "/v1/orders", Some(&body), Some("k1")).await.expect(202);
    assert_eq!(later, first);

    let other = order_request(me, &[("KB-RED", 2)], "manual");
    let reused = client.send(Method::POST, "/v1/orders", Some(&other), Some("k1")).await;
    assert_eq!(reused.problem(), (422, "idempotency_key_reused"));
    // The same key of another customer is another key.
    let (them, stranger) = shop.customer();
    let body = order_request(them, &[("KB-RED", 1)], "manual");
    stranger.send(Method::POST, "/v1/orders", Some(&body), Some("k1")).await.expect(202);
    assert_eq!(shop.count("select count(*) from orders").await, 2);
    // A repeated request gets the same refusal and places nothing.
    let first = client
        .send(
            Method::POST,
            "/v1/orders",
            Some(&order_request(me, &[("OLD", 1)], "test")),
            Some("k2"),
        )
        .await;
    let again = client
        .send(
            Method::POST,
            "/v1/orders",
            Some(&order_request(me, &[("OLD", 1)], "test")),
            Some("k2"),
        )
        .await;
    assert_eq!(first.problem(), (422, "sku_not_for_sale"));
    assert_eq!(again.body, first.body);
    assert_eq!(shop.count("select count(*) from orders").await, 2);
    shop.close().await;
}

#[tokio::test]
async fn order_refused_by_the_database_fails_alone() {
    let shop = Shop::open(Deadlines::NONE).await;
    shop.refuse_sku("SILENT-BAD").await;
    let (me, client) = shop.customer();
    let mut placing = tokio::task::JoinSet::new();
    for number in 0..60 {
        let sku = if number % 20 == 7 { "SILENT-BAD" } else { "SILENT-1" };
        let (client, body) = (client.clone(), order_request(me, &[(sku, 1)], "test"));
        let key = format!("k{number}");
        placing.spawn(async move {
            client.send(Method::POST, "/v1/orders", Some(&body), Some(&key)).await.status
        });
    }
    let mut statuses = Vec::new();
    while let Some(status) = placing.join_next().await {
        statuses.push(status.unwrap().as_u16());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [vec![202; 57], vec![500; 3]].concat());
    assert_eq!(shop.count("select count(*) from orders").await, 57);
    shop.close().await;
}

#[tokio::test]
async fn customers_place_own_orders_and_admins_place_any() {
    let shop = Shop::open(Deadlines::NONE).await;
    let (me, client) = shop.customer();
    let mine = order_request(me, &[("SILENT-1", 1)], "test");
    let theirs = order_request(CustomerId::new(), &[("SILENT-1", 1)], "test");
    assert_eq!(shop.anonymous.post("/v1/orders", &mine).await.problem(), (401, "unauthorized"));
    let reader = shop.client(&me.to_string(), &[Scope::OrdersRead]);
    assert_eq!(reader.post("/v1/orders", &mine).await.problem(), (403, "insufficient_scope"));
    assert_eq!(client.post("/v1/orders", &theirs).await.problem(), (403, "not_yours"));
    shop.admin().post("/v1/orders", &theirs).await.expect(202);
    let mut with_aliases = mine;
    with_aliases["shipping_address"] =
        json!({ "recipient": "a", "line1": "b", "city": "c", "province": "d", "country": "cn" });
    let placed = client.post("/v1/orders", &with_aliases).await.expect(202);
    let address = json!({ "name": "a", "line1": "b", "city": "c", "region": "d", "country": "CN" });
    let order = client.get(&format!("/v1/orders/{}", placed["id"].as_str().unwrap())).await;
    assert_eq!(order.expect(200)["shipping_address"], address);
    shop.close().await;
}

#[tokio::test]
async fn a_request_can_wait_for_the_confirmation() {
    let shop = Shop::open(Deadlines::NONE).await;
    shop.sell(&[("KB-RED", 12_900), ("OUT-1", 100), ("SILENT-1", 100)]).await;
    let (me, client) = shop.customer();
    let waiting = "/v1/orders?wait_for=confirmed&wait_ms=30000";
    let place = async |sku: &str, method: &str, key: Option<&str>| {
        let body = order_request(me, &[(sku, 1)], method);
        let answer = client.send(Method::POST, waiting, Some(&body), key).await;
        let location = answer.location.clone().unwrap();
        (answer.expect(202), location)
    };
    for (sku, method, status) in [
        ("KB-RED", "test", "confirmed"),
        ("KB-RED", "test_decline", "payment_failed"),
        ("OUT-1", "test", "rejected"),
    ] {
        let (order, location) = place(sku, method, None).await;
        assert_eq!(order["status"], status);
        // It is what a read returns, but for the address.
        let mut read = client.get(&location).await.expect(200);
        assert!(read.as_object_mut().unwrap().remove("shipping_address").is_some());
        assert_eq!(read, order);
    }
    // A repeated request waits for the order of the first one.
    let first = place("KB-RED", "test", Some("k-1")).await;
    assert_eq!(place("KB-RED", "test", Some("k-1")).await, first);

    let body = order_request(me, &[("SILENT-1", 1)], "test");
    let path = "/v1/orders?wait_for=confirmed&wait_ms=10";
    assert_eq!(client.post(path, &body).await.expect(202)["status"], "placed");
    let refused = client.post(waiting, &order_request(me, &[], "test")).await;
    assert_eq!(refused.problem(), (422, "validation_failed"));
    assert_eq!(
        client.post("/v1/orders?wait_for=paid", &body).await.problem(),
        (400, "invalid_query")
    );
    shop.close().await;
}
