//! User events become trends and recommendations.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use system_tests::Shop;
use testkit::wait_for;
use uuid::Uuid;

/// The body of a user event.
pub(crate) fn event(kind: &str, session: &str, product: &str) -> Value {
    json!({
        "event_id": Uuid::now_v7(), "type": kind, "visitor_id": format!("visitor-of-{session}"), "session_id": session,
        "product_id": product, "occurred_at": runtime::clock::now(),
    })
}

#[tokio::test]
async fn views_and_orders_become_trends_and_recommendations() {
    let shop = Shop::start().await.unwrap();
    let mut ids = Vec::new();
    for (title, sku) in
        [("机械键盘", "R-1"), ("无线鼠标", "R-2"), ("显示器", "R-3"), ("键帽", "R-4")]
    {
        ids.push(shop.stocked_product(title, sku, 10_000, 100).await.unwrap().text("/id"));
    }
    let mut events = Vec::new();
    for session in 0..5 {
        let session = format!("session-{session}");
        events.push(event("product_viewed", &session, &ids[0]));
        events.push(event("product_viewed", &session, &ids[1]));
    }
    events.push(json!({ "event_id": "not an id", "type": "product_viewed" }));
    let body = Value::Array(events);
    let answer =
        shop.call(Method::POST, "behavior-analytics", "/v1/events", None, &[], Some(&body)).await;
    let answer = answer.unwrap().expect_status(202).unwrap();
    assert_eq!(answer.number("/accepted"), Some(10));
    assert_eq!(answer.number("/rejected/0/index"), Some(10));
    // A repeated batch is accepted and not counted again.
    shop.call(Method::POST, "behavior-analytics", "/v1/events", None, &[], Some(&body))
        .await
        .unwrap();

    let wait_for_item = async |path: String, wanted: &str| {
        wait_for(&format!("{path} contains the product"), Duration::from_secs(20), async || {
            // The visitor's own token.
            let visitor = shop.token("visitor-of-session-1", &[]).unwrap();
            let answer =
                shop.call(Method::GET, "behavior-analytics", &path, Some(&visitor), &[], None);
            let answer = answer.await.map_err(|error| error.to_string())?;
            let items = answer.body["items"].as_array().cloned().unwrap_or_default();
            let named = items.iter().find(|item| item["product_id"] == wanted).cloned();
            named.ok_or_else(|| answer.body.to_string())
        })
        .await
        .unwrap()
    };
    wait_for_item("/v1/trending".to_owned(), &ids[0]).await;
    let similar = wait_for_item(format!("/v1/recommendations/similar/{}", ids[0]), &ids[1]).await;
    assert!(similar["score"].is_number() && similar["reason"]["code"].is_string(), "{similar}");

    // Two products in one order are companions.
    for _ in 0..3 {
        let buyer = Uuid::now_v7().to_string();
        let token = shop.token(&buyer, &[runtime::auth::Scope::OrdersWrite]).unwrap();
        let order = json!({
            "customer_id": buyer,
            "lines": [{ "sku": "R-1", "quantity": 1 }, { "sku": "R-4", "quantity": 1 }],
            "shipping_address": { "name": "Buyer", "line1": "Street 1", "city": "Hangzhou", "country": "CN" },
            "payment": { "method": "test" },
        });
        let placed =
            shop.call(Method::POST, "order", "/v1/orders", Some(&token), &[], Some(&order)).await;
        let id = placed.unwrap().expect_status(202).unwrap().text("/id");
        shop.wait_for_order(&id, &["delivered"]).await.unwrap();
    }
    wait_for_item(format!("/v1/recommendations/companions/{}", ids[0]), &ids[3]).await;
    wait_for_item("/v1/recommendations/for/visitor-of-session-1".to_owned(), &ids[0]).await;
    shop.assert_clean_audit().await.unwrap();
    shop.stop().await.unwrap();
}
