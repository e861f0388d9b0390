//! Orders that end early: rejected, declined, expired, cancelled. Each compensates once.

use std::time::Duration;

use contracts::catalog::ProductStatus;
use serde_json::json;
use vocabulary::{ProductId, Version};

use crate::shop::{Deadlines, Shop, changed, order_request};

const MOMENT: Duration = Duration::from_millis(50);

#[tokio::test]
async fn rejected_order_lists_its_shortages() {
    let shop = Shop::open(Deadlines::NONE).await;
    shop.sell(&[("OUT-1", 100)]).await;
    let (me, client) = shop.customer();
    let placed =
        client.post("/v1/orders", &order_request(me, &[("OUT-1", 3)], "test")).await.expect(202);
    let id = placed["id"].as_str().unwrap();
    let rejected = client.wait(id, "rejected").await;
    assert_eq!(rejected["reason"]["code"], "insufficient_stock");
    assert_eq!(
        rejected["reason"]["shortages"],
        json!([{ "sku": "OUT-1", "requested": 3, "available": 1 }])
    );
    assert_eq!(
        client.timeline(id).await,
        ["order order.placed.v1", "inventory stock.rejected.v1", "order order.rejected.v1"]
    );
    shop.close().await;
}

#[tokio::test]
async fn order_for_an_unknown_sku_is_placed_and_rejected() {
    let shop = Shop::open(Deadlines::NONE).await;
    let (me, client) = shop.customer();
    let placed = client
        .post("/v1/orders", &order_request(me, &[("UNKNOWN-1", 1)], "test"))
        .await
        .expect(202);
    assert!(placed["total"].is_null() && placed["lines"][0]["unit_price"].is_null(), "{placed}");
    let rejected = client.wait(placed["id"].as_str().unwrap(), "rejected").await;
    assert_eq!(rejected["reason"]["code"], "unknown_sku");
    shop.close().await;
}

#[tokio::test]
async fn order_gets_a_price_that_arrives_after_the_reservation() {
    let shop = Shop::open(Deadlines::NONE).await;
    let (me, client) = shop.customer();
    let id = client.place(me, "LATE-1", "test").await;
    shop.wait_for_reservation(&id, "reserved", 0).await;
    let product = ProductId::new();
    let mut event = changed(product, 1, ProductStatus::Active, &[("LATE-1", 4_200)]);
    event.variants[0].options = [("颜色".to_owned(), "红".to_owned())].into();
    shop.publish_product(&event, product, Version::FIRST).await;
    let confirmed = client.wait(&id, "confirmed").await;
    assert_eq!(confirmed["total"], json!({ "amount": 4_200, "currency": "CNY" }));
    assert_eq!(confirmed["lines"][0]["title"]["zh"], "键盘 1");
    assert_eq!(confirmed["lines"][0]["options"]["颜色"], "红");
    shop.close().await;
}

#[tokio::test]
async fn order_without_a_price_is_cancelled_within_seconds() {
    let shop = Shop::open(Deadlines::NONE).await;
    let (me, client) = shop.customer();
    let id = client.place(me, "NEVER-1", "test").await;
    let cancelled = client.wait(&id, "cancelled").await;
    assert_eq!(cancelled["reason"]["code"], "unknown_sku");
    shop.wait_for_reservation(&id, "released", 1).await;
    client.timeline_with(&id, "inventory stock.released.v1").await;
    shop.close().await;
}

#[tokio::test]
async fn declined_payment_releases_the_stock_once() {
    let shop = Shop::open(Deadlines::NONE).await;
    shop.sell(&[("KB-RED", 100)]).await;
    let (me, client) = shop.customer();
    let id = client.place(me, "KB-RED", "test_decline").await;
    let failed = client.wait(&id, "payment_failed").await;
    assert_eq!(
        (&failed["reason"]["code"], &failed["payment"]["state"]),
        (&json!("payment_declined"), &json!("declined"))
    );
    shop.wait_for_reservation(&id, "released", 1).await;
    let timeline = client.timeline_with(&id, "inventory stock.released.v1").await;
    assert_eq!(
        timeline,
        [
            "order order.placed.v1",
            "inventory stock.reserved.v1",
            "order payment.declined",
            "order order.payment_failed.v1",
            "inventory stock.released.v1",
        ]
    );
    shop.close().await;
}

#[tokio::test]
async fn order_expires_without_an_answer_of_inventory() {
    let shop = Shop::open(Deadlines { reserve: MOMENT, ..Deadlines::NONE }).await;
    shop.sell(&[("SILENT-1", 100)]).await;
    let (me, client) = shop.customer();
    let id = client.place(me, "SILENT-1", "test").await;
    assert_eq!(client.wait(&id, "expired").await["reason"]["code"], "no_answer");
    shop.wait_for_reservation(&id, "silent", 1).await;
    shop.close().await;
}

#[tokio::test]
async fn unpaid_order_expires_and_a_late_approval_is_refunded() {
    let shop = Shop::open(Deadlines { pay: MOMENT, ..Deadlines::NONE }).await;
    shop.sell(&[("KB-RED", 100)]).await;
    let (me, client) = shop.customer();
    let id = client.place(me, "KB-RED", "manual").await;
    assert_eq!(client.wait(&id, "expired").await["reason"]["code"], "payment_timeout");
    client.timeline_with(&id, "inventory stock.released.v1").await;
    shop.wait_for_reservation(&id, "released", 1).await;
    let late = client
        .post(&format!("/v1/orders/{id}/payment"), &json!({ "outcome": "approve" }))
        .await
        .expect(200);
    assert_eq!(
        (&late["status"], &late["payment"]["state"]),
        (&json!("expired"), &json!("refunded"))
    );
    assert_eq!(shop.payments(&id).await, ["refunded"]);
    let timeline = client.timeline(&id).await;
    assert!(
        timeline.ends_with(&["order payment.approved".into(), "order payment.refunded".into()]),
        "{timeline:?}"
    );
    shop.close().await;
}

#[tokio::test]
async fn order_can_be_cancelled_before_inventory_answers() {
    let shop = Shop::open(Deadlines::NONE).await;
    shop.sell(&[("SILENT-1", 100)]).await;
    let (me, client) = shop.customer();
    let id = client.place(me, "SILENT-1", "test").await;
    let cancelled = client.post(&format!("/v1/orders/{id}/cancel"), &json!({})).await.expect(200);
    assert_eq!(
        (&cancelled["status"], &cancelled["reason"]["code"]),
        (&json!("cancelled"), &json!("cancelled_by_customer"))
    );
    // A second cancellation changes nothing.
    assert_eq!(
        client.post(&format!("/v1/orders/{id}/cancel"), &json!({})).await.expect(200),
        cancelled
    );
    shop.wait_for_reservation(&id, "silent", 1).await;
    shop.close().await;
}

#[tokio::test]
async fn paid_order_can_be_cancelled_until_it_is_shipped() {
    let shop = Shop::open(Deadlines { ship: Duration::from_secs(3), ..Deadlines::NONE }).await;
    shop.sell(&[("KB-RED", 100)]).await;
    let (me, client) = shop.customer();
    let (kept, cancelled) =
        (client.place(me, "KB-RED", "test").await, client.place(me, "KB-RED", "test").await);
    client.wait(&cancelled, "confirmed").await;
    let answer =
        client.post(&format!("/v1/orders/{cancelled}/cancel"), &json!({})).await.expect(200);
    assert_eq!(
        (&answer["status"], &answer["payment"]["state"]),
        (&json!("cancelled"), &json!("refunded"))
    );
    shop.wait_for_reservation(&cancelled, "released", 1).await;
    client.timeline_with(&cancelled, "inventory stock.released.v1").await;

    client.wait(&kept, "shipped").await;
    let refused = client.post(&format!("/v1/orders/{kept}/cancel"), &json!({})).await;
    assert_eq!(refused.problem(), (409, "not_cancellable"));
    client.timeline_with(&kept, "inventory stock.deducted.v1").await;
    shop.close().await;
}
