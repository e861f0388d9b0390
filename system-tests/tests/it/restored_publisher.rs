//! The database of the order service is restored from a dump of a moment ago: it has lost commits that other services have seen.

use std::time::Duration;

use reqwest::Method;
use runtime::auth::Scope;
use serde_json::{Value, json};
use system_tests::Shop;
use testkit::wait_for;
use uuid::Uuid;

const TIMEOUT: Duration = Duration::from_mins(1);

const SKU: &str = "TEA-5";

/// Places an order for one piece, and waits until it has this status. Returns its id.
async fn place(shop: &Shop, method: &str, status: &str) -> String {
    let (customer, key) = (Uuid::now_v7().to_string(), Uuid::now_v7().to_string());
    let token = shop.token(&customer, &[Scope::OrdersWrite]).unwrap();
    let body = json!({
        "customer_id": customer,
        "lines": [{ "sku": SKU, "quantity": 1 }],
        "shipping_address": { "name": "Test Buyer", "line1": "Example Street 1", "city": "Hangzhou", "country": "CN" },
        "payment": { "method": method },
    });
    let headers = [("idempotency-key", key.as_str())];
    let placed = wait_for("the order is accepted", TIMEOUT, async || {
        let call =
            shop.call(Method::POST, "order", "/v1/orders", Some(&token), &headers, Some(&body));
        match call.await {
            Ok(answer) if answer.status.as_u16() == 202 => Ok(answer.text("/id")),
            Ok(answer) => Err(answer.body.to_string()),
            Err(error) => Err(error.to_string()),
        }
    });
    let id = placed.await.unwrap();
    shop.wait_for_order(&id, &[status]).await.unwrap();
    id
}

/// The lost orders, newest first, each with its stock.
async fn lost_orders(shop: &Shop) -> Vec<(String, String)> {
    let token = shop.token("tester", &[Scope::OrdersAdmin]).unwrap();
    let answer = shop.call(Method::GET, "order", "/v1/lost-orders", Some(&token), &[], None).await;
    let answer = answer.unwrap().expect_status(200).unwrap();
    let text = |item: &Value, name: &str| item[name].as_str().unwrap_or_default().to_owned();
    let items = answer.body["items"].as_array().unwrap().iter();
    items.map(|item| (text(item, "order_id"), text(item, "stock"))).collect()
}

/// Publishes the events of inventory again, which the order service has forgotten.
async fn republish_to_order(shop: &Shop) {
    let token = shop.token("tester", &[Scope::Ops]).unwrap();
    let body = json!({ "subscriber": "order", "since": "2000-01-01T00:00:00Z" });
    shop.call(Method::POST, "inventory", "/v1/republish", Some(&token), &[], Some(&body))
        .await
        .unwrap()
        .expect_status(200)
        .unwrap();
}

#[tokio::test]
async fn lost_orders_are_released_or_go_to_an_operator() {
    let mut shop = Shop::start().await.unwrap();
    shop.stocked_product("茶叶", SKU, 5_000, 100).await.unwrap();
    let ended = place(&shop, "manual", "reserved").await;
    shop.assert_clean_audit().await.unwrap();
    let backup = shop.back_up("order").await.unwrap();

    let reserved = place(&shop, "manual", "reserved").await;
    let shipped = place(&shop, "test", "shipped").await;
    let token = shop.token("tester", &[Scope::OrdersAdmin]).unwrap();
    let cancel = format!("/v1/orders/{ended}/cancel");
    let cancelled = shop.call(Method::POST, "order", &cancel, Some(&token), &[], None).await;
    cancelled.unwrap().expect_status(200).unwrap();
    wait_for("inventory has the last commits", TIMEOUT, async || {
        let stock = shop.stock_of(SKU).await.unwrap();
        if stock == (99, 1, 98) { Ok(()) } else { Err(format!("{stock:?}")) }
    })
    .await
    .unwrap();
    shop.kill("order").await.unwrap();
    shop.restore_database("order", &backup).await.unwrap();

    let list = shop.reconcile("order").await.unwrap();
    let keys = list["lost_commits"].as_array().unwrap().iter();
    let keys: Vec<(&str, bool)> = keys
        .inspect(|lost| assert_eq!(lost["aggregate"], "order"))
        .map(|lost| (lost["key"].as_str().unwrap(), lost["last"] == 0))
        .collect();
    assert_eq!(keys, [(&*ended, false), (&*reserved, true), (&*shipped, true)]);
    shop.launch("order").unwrap();
    shop.wait_until_ready().await.unwrap();
    republish_to_order(&shop).await;

    let expected = [(shipped, "deducted".to_owned()), (reserved, "released".to_owned())];
    wait_for("inventory has told what became of the stock", TIMEOUT, async || {
        let lost = lost_orders(&shop).await;
        if lost == expected { Ok(()) } else { Err(format!("{lost:?}")) }
    })
    .await
    .unwrap();
    // It was reserved in the dump, and inventory tells that it has ended.
    let ended = shop.wait_for_order(&ended, &["cancelled"]).await.unwrap();
    assert_eq!(ended.text("/reason/code"), "lost");
    place(&shop, "test", "shipped").await;
    shop.assert_clean_audit().await.unwrap();
    assert_eq!(shop.stock_of(SKU).await.unwrap(), (98, 0, 98));
    shop.stop().await.unwrap();
}

/// The erasure of a customer, once it is complete. Requests it until then.
async fn erase(shop: &Shop, customer: &str) {
    let token = shop.token("tester", &[Scope::OrdersAdmin]).unwrap();
    let path = format!("/v1/customers/{customer}");
    wait_for("the customer is erased in every service", TIMEOUT, async || {
        // Just after a backup the service has no connection.
        match shop.call(Method::DELETE, "order", &path, Some(&token), &[], None).await {
            Ok(answer) if answer.body["completed"] == json!(true) => Ok(()),
            Ok(answer) => Err(answer.body.to_string()),
            Err(error) => Err(error.to_string()),
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn an_erased_customer_stays_erased_after_a_restore() {
    let mut shop = Shop::start().await.unwrap();
    shop.stocked_product("茶叶", SKU, 5_000, 100).await.unwrap();
    let order = place(&shop, "test", "delivered").await;
    let read = shop.read_order(&order).await.unwrap();
    assert_eq!(read.text("/shipping_address/name"), "Test Buyer");
    let customer = read.text("/customer_id");
    shop.assert_clean_audit().await.unwrap();
    let backup = shop.back_up("order").await.unwrap();
    erase(&shop, &customer).await;
    assert!(shop.read_order(&order).await.unwrap().body.get("shipping_address").is_none());

    shop.kill("order").await.unwrap();
    shop.restore_database("order", &backup).await.unwrap();
    let list = shop.reconcile("order").await.unwrap();
    let lost = list["lost_commits"].as_array().unwrap();
    assert!(
        lost.iter().any(|lost| lost["aggregate"] == "customer" && lost["key"] == json!(customer)),
        "{list}"
    );
    shop.launch("order").unwrap();
    shop.wait_until_ready().await.unwrap();
    // Without a request: the list is applied again.
    wait_for("the address is erased again", TIMEOUT, async || {
        let read = shop.read_order(&order).await.unwrap().body;
        if read.get("shipping_address").is_none() { Ok(()) } else { Err(read.to_string()) }
    })
    .await
    .unwrap();
    erase(&shop, &customer).await;
    shop.assert_clean_audit().await.unwrap();
    shop.stop().await.unwrap();
}
