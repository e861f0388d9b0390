//! Payments with the built-in test provider.

use reqwest::Method;
use serde_json::json;

use crate::shop::{Deadlines, Shop};

#[tokio::test]
async fn manual_order_waits_for_its_payment() {
    let shop = Shop::open(Deadlines::NONE).await;
    shop.sell(&[("KB-RED", 100), ("SILENT-1", 100)]).await;
    let (me, client) = shop.customer();
    let pay = |id: &str| format!("/v1/orders/{id}/payment");

    let id = client.place(me, "KB-RED", "manual").await;
    let reserved = client.wait(&id, "reserved").await;
    assert!(reserved["expires_at"].is_string(), "{reserved}");
    // A request without a body approves.
    let paid = client.send(Method::POST, &pay(&id), None, Some("pay-1")).await.expect(200);
    assert_eq!(
        (&paid["status"], &paid["payment"]["state"]),
        (&json!("confirmed"), &json!("approved"))
    );
    assert_eq!(client.send(Method::POST, &pay(&id), None, Some("pay-1")).await.expect(200), paid);
    assert_eq!(client.post(&pay(&id), &json!({})).await.problem(), (409, "already_paid"));
    assert_eq!(shop.payments(&id).await, ["approved"]);

    let id = client.place(me, "KB-RED", "manual").await;
    client.wait(&id, "reserved").await;
    let declined = client.post(&pay(&id), &json!({ "outcome": "decline" })).await.expect(200);
    assert_eq!(
        (&declined["status"], &declined["payment"]["state"]),
        (&json!("payment_failed"), &json!("declined"))
    );
    shop.wait_for_reservation(&id, "released", 1).await;

    let id = client.place(me, "SILENT-1", "manual").await;
    assert_eq!(client.post(&pay(&id), &json!({})).await.problem(), (409, "not_payable_yet"));
    assert_eq!(
        client.post(&pay(&id), &json!({ "outcome": "perhaps" })).await.problem(),
        (422, "invalid_body")
    );
    let (_, stranger) = shop.customer();
    assert_eq!(stranger.post(&pay(&id), &json!({})).await.problem(), (403, "not_yours"));
    shop.close().await;
}
