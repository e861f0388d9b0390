//! An order is accepted immediately and processed asynchronously: reserved, paid and shipped, or rejected
//! with a reason.

use futures::future::join_all;
use hmac::{Hmac, Mac};
use reqwest::Method;
use runtime::auth::Scope;
use serde_json::{Value, json};
use sha2::Sha256;
use system_tests::Shop;
use uuid::Uuid;

fn customer() -> String {
    Uuid::now_v7().to_string()
}

#[tokio::test]
async fn order_is_confirmed_shipped_and_delivered() {
    let shop = Shop::start().await.unwrap();
    shop.stocked_product("极光 F87 机械键盘", "KB-1", 32_900, 10).await.unwrap();
    let placed =
        shop.order(&customer(), "KB-1", 2, None).await.unwrap().expect_status(202).unwrap();
    let id = placed.text("/id");
    assert_eq!(placed.text("/status"), "placed");
    assert!(placed.header("location").ends_with(&id));
    shop.wait_for_order(&id, &["delivered"]).await.unwrap();
    assert_eq!(shop.stock_of("KB-1").await.unwrap(), (8, 0, 8));
    let token = shop.token("tester", &[Scope::OrdersAdmin]).unwrap();
    let path = format!("/v1/orders/{id}/timeline");
    let timeline = shop.call(Method::GET, "order", &path, Some(&token), &[], None).await.unwrap();
    let items = timeline.expect_status(200).unwrap().body["items"].as_array().cloned().unwrap();
    for service in ["order", "inventory"] {
        assert!(items.iter().any(|item| item["service"] == service), "{items:?}");
    }
    shop.assert_clean_audit().await.unwrap();
    shop.stop().await.unwrap();
}

#[tokio::test]
async fn rejected_orders_reserve_nothing() {
    let shop = Shop::start().await.unwrap();
    shop.stocked_product("茶杯", "CUP-1", 1_900, 1).await.unwrap();
    let short =
        shop.order(&customer(), "CUP-1", 2, None).await.unwrap().expect_status(202).unwrap();
    let short = shop.wait_for_order(&short.text("/id"), &["rejected"]).await.unwrap();
    assert!(short.body["reason"].to_string().contains("insufficient_stock"), "{}", short.body);
    assert_eq!(shop.stock_of("CUP-1").await.unwrap(), (1, 0, 1));
    let unknown = shop.order(&customer(), "NO-SUCH-SKU", 1, None).await.unwrap();
    let unknown = unknown.expect_status(202).unwrap();
    let unknown = shop.wait_for_order(&unknown.text("/id"), &["rejected"]).await.unwrap();
    assert!(unknown.body["reason"].to_string().contains("unknown_sku"), "{}", unknown.body);
    shop.assert_clean_audit().await.unwrap();
    shop.stop().await.unwrap();
}

#[tokio::test]
async fn cancelled_order_releases_its_stock() {
    let shop = Shop::start().await.unwrap();
    shop.stocked_product("茶壶", "POT-1", 8_900, 5).await.unwrap();
    let (buyer, body) = (customer(), serde_json::json!({}));
    let token = shop.token(&buyer, &[Scope::OrdersWrite, Scope::OrdersRead]).unwrap();
    let mut order = serde_json::json!({
        "customer_id": buyer, "lines": [{ "sku": "POT-1", "quantity": 3 }],
        "shipping_address": { "name": "Buyer", "line1": "Street 1", "city": "Hangzhou", "country": "CN" },
    });
    order["payment"] = serde_json::json!({ "method": "manual" });
    let placed =
        shop.call(Method::POST, "order", "/v1/orders", Some(&token), &[], Some(&order)).await;
    let id = placed.unwrap().expect_status(202).unwrap().text("/id");
    shop.wait_for_order(&id, &["reserved"]).await.unwrap();
    assert_eq!(shop.stock_of("POT-1").await.unwrap(), (5, 3, 2));
    let path = format!("/v1/orders/{id}/cancel");
    let cancelled =
        shop.call(Method::POST, "order", &path, Some(&token), &[], Some(&body)).await.unwrap();
    assert!(cancelled.status.is_success(), "{}", cancelled.body);
    shop.wait_for_order(&id, &["cancelled"]).await.unwrap();
    shop.assert_clean_audit().await.unwrap();
    assert_eq!(shop.stock_of("POT-1").await.unwrap(), (5, 0, 5));
    shop.stop().await.unwrap();
}

#[tokio::test]
async fn concurrent_posts_with_one_key_create_one_order() {
    let shop = Shop::start().await.unwrap();
    shop.stocked_product("茶叶", "TEA-2", 5_000, 10).await.unwrap();
    let buyer = customer();
    let posts = (0..2).map(|_| shop.order(&buyer, "TEA-2", 1, Some("the-same-key")));
    let mut ids: Vec<String> = Vec::new();
    for post in join_all(posts).await {
        let answer = post.unwrap();
        // The second request may get 409 while the first is in flight.
        if answer.status.as_u16() != 409 {
            ids.push(answer.expect_status(202).unwrap().text("/id"));
        }
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
    let again = shop.order(&buyer, "TEA-2", 1, Some("the-same-key")).await.unwrap();
    assert_eq!(again.expect_status(202).unwrap().text("/id"), ids[0]);
    shop.order(&buyer, "TEA-2", 2, Some("the-same-key")).await.unwrap().expect_status(422).unwrap();
    shop.wait_for_order(&ids[0], &["delivered"]).await.unwrap();
    assert_eq!(shop.stock_of("TEA-2").await.unwrap(), (9, 0, 9));
    shop.assert_clean_audit().await.unwrap();
    shop.stop().await.unwrap();
}

#[tokio::test]
async fn two_hundred_buyers_do_not_oversell_twenty_pieces() {
    let shop = Shop::start().await.unwrap();
    shop.stocked_product("限量手办", "RARE-1", 99_900, 20).await.unwrap();
    let buyers: Vec<String> = (0..200).map(|_| customer()).collect();
    let orders = buyers.iter().map(|buyer| shop.order(buyer, "RARE-1", 1, None));
    let mut ids = Vec::new();
    for order in join_all(orders).await {
        ids.push(order.unwrap().expect_status(202).unwrap().text("/id"));
    }
    let mut bought = 0;
    for id in &ids {
        let end = shop.wait_for_order(id, &["delivered", "rejected"]).await.unwrap();
        bought += usize::from(end.text("/status") == "delivered");
    }
    assert_eq!(bought, 20);
    assert_eq!(shop.stock_of("RARE-1").await.unwrap(), (0, 0, 0));
    shop.assert_clean_audit().await.unwrap();
    shop.stop().await.unwrap();
}

/// Reports a shipment as a carrier does.
async fn report_shipment(shop: &Shop, event: &Value) -> Value {
    let secret = std::fs::read_to_string(shop.folder().join("webhook.secret")).unwrap();
    let (body, now) = (event.to_string(), runtime::clock::now().timestamp());
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{now}.{body}").as_bytes());
    let signature = format!("t={now},v1={:x}", mac.finalize().into_bytes());
    let headers = [("x-signature", signature.as_str())];
    let path = "/v1/webhooks/shipments";
    let answer = shop.call(Method::POST, "order", path, None, &headers, Some(event)).await.unwrap();
    answer.expect_status(200).unwrap().body
}

#[tokio::test]
async fn order_ships_in_two_parcels_by_callbacks() {
    let shop = Shop::start_with(&[("BUILT_IN_CARRIER", "false")]).await.unwrap();
    shop.stocked_product("极光 F87 机械键盘", "KB-1", 32_900, 0).await.unwrap();
    let mut warehouses = Vec::new();
    for (name, region, on_hand) in [("杭州仓", "CN-浙江省", 2), ("上海仓", "CN-上海市", 2)]
    {
        let body = json!({ "name": name, "region": region });
        let warehouse = shop.create_warehouse_with(&body).await.unwrap();
        shop.stock_in("KB-1", on_hand, Some(&warehouse)).await.unwrap();
        warehouses.push(warehouse);
    }
    let buyer = customer();
    let token = shop.token(&buyer, &[Scope::OrdersWrite, Scope::OrdersRead]).unwrap();
    let order = json!({
        "customer_id": buyer, "lines": [{ "sku": "KB-1", "quantity": 3 }], "payment": { "method": "test" },
        "shipping_address": {
            "name": "Buyer", "line1": "Street 1", "city": "上海", "region": "上海市", "country": "CN",
        },
    });
    let placed = shop.call(Method::POST, "order", "/v1/orders", Some(&token), &[], Some(&order));
    let id = placed.await.unwrap().expect_status(202).unwrap().text("/id");
    let confirmed = shop.wait_for_order(&id, &["confirmed"]).await.unwrap().body;
    let parcels = confirmed["fulfilment"]["parcels"].as_array().cloned().unwrap();
    assert_eq!(parcels.len(), 2, "{confirmed}");
    // The warehouse in the region of the customer gives all that it has.
    let of = |warehouse: &String| {
        let found = parcels.iter().find(|parcel| parcel["warehouse_id"] == warehouse.as_str());
        let parcel = found.unwrap();
        (parcel["id"].clone(), parcel["lines"][0]["quantity"].clone())
    };
    let ((hangzhou, one), (shanghai, two)) = (of(&warehouses[0]), of(&warehouses[1]));
    assert_eq!((one, two), (json!(1), json!(2)));

    let report = |event: &str, parcel: &Value, status: &str| {
        json!({
            "event_id": event, "order_id": id, "parcel_id": parcel, "status": status, "carrier": "SF",
            "tracking_number": event,
        })
    };
    let first = report_shipment(&shop, &report("1", &shanghai, "shipped")).await;
    assert_eq!(first["status"], "confirmed");
    shop.assert_clean_audit().await.unwrap();
    assert_eq!(shop.stock_of("KB-1").await.unwrap(), (2, 1, 1));
    let path = format!("/v1/orders/{id}/cancel");
    let refused =
        shop.call(Method::POST, "order", &path, Some(&token), &[], Some(&json!({}))).await;
    assert_eq!(refused.unwrap().text("/code"), "not_cancellable");

    // A repeated callback has no effect, and a delivered parcel does not deliver the order.
    assert_eq!(report_shipment(&shop, &report("1", &shanghai, "shipped")).await, first);
    report_shipment(&shop, &report("2", &shanghai, "delivered")).await;
    let partly = shop.read_order(&id).await.unwrap().body;
    assert_eq!(partly["fulfilment"]["state"], "partly_shipped");
    let last = report_shipment(&shop, &report("3", &hangzhou, "shipped")).await;
    assert_eq!(last["status"], "shipped");
    let last = report_shipment(&shop, &report("4", &hangzhou, "delivered")).await;
    assert_eq!(last["status"], "delivered");
    shop.assert_clean_audit().await.unwrap();
    assert_eq!(shop.stock_of("KB-1").await.unwrap(), (1, 0, 1));
    let token = shop.token("tester", &[Scope::StockWrite]).unwrap();
    for (warehouse, on_hand) in [(&warehouses[0], 1), (&warehouses[1], 0)] {
        let stock = shop.call(Method::GET, "inventory", "/v1/stock/KB-1", Some(&token), &[], None);
        let stock = stock.await.unwrap().body;
        let levels = stock["warehouses"].as_array().unwrap();
        let level = levels.iter().find(|level| level["warehouse_id"] == warehouse.as_str());
        assert_eq!(level.unwrap()["on_hand"], on_hand, "{stock}");
    }
    shop.stop().await.unwrap();
}
