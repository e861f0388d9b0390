//! Signed webhooks of payment providers and carriers.

use chrono::Utc;
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::shop::{Answer, Client, Deadlines, Shop, WEBHOOK_SECRET};

pub(crate) const PAYMENTS: &str = "/v1/webhooks/payments";
const SHIPMENTS: &str = "/v1/webhooks/shipments";

#[expect(clippy::disallowed_methods, reason = "the provider has its own clock")]
fn now() -> i64 {
    Utc::now().timestamp()
}

fn sign(secret: &str, seconds: i64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{seconds}.{body}").as_bytes());
    format!("t={seconds},v1={:x}", mac.finalize().into_bytes())
}

pub(crate) async fn send_webhook(client: &Client, path: &str, body: &Value) -> Answer {
    let body = body.to_string();
    client.send_webhook(path, &body, &sign(WEBHOOK_SECRET, now(), &body)).await
}

#[tokio::test]
async fn repeated_payment_webhooks_confirm_an_order_once() {
    let shop = Shop::open(Deadlines::NONE).await;
    shop.sell(&[("KB-RED", 100), ("SILENT-1", 100)]).await;
    let (me, client) = shop.customer();
    let id = client.place(me, "KB-RED", "manual").await;
    client.wait(&id, "reserved").await;
    let event =
        json!({ "event_id": "e1", "order_id": id, "outcome": "approve", "reference": "pay_1" });
    let calls = tokio::join!(
        send_webhook(&shop.anonymous, PAYMENTS, &event),
        send_webhook(&shop.anonymous, PAYMENTS, &event),
        send_webhook(&shop.anonymous, PAYMENTS, &event),
    );
    let confirmed = json!({ "order_id": id, "status": "confirmed", "applied": true });
    for answer in [calls.0, calls.1, calls.2] {
        assert_eq!(answer.expect(200), confirmed);
    }
    assert_eq!(shop.payments(&id).await, ["approved"]);
    // Another event with the same reference is the same payment.
    let again =
        json!({ "event_id": "e1b", "order_id": id, "outcome": "approve", "reference": "pay_1" });
    let answer = send_webhook(&shop.anonymous, PAYMENTS, &again).await.expect(200);
    assert_eq!(answer, json!({ "order_id": id, "status": "confirmed", "applied": false }));
    assert_eq!(shop.payments(&id).await, ["approved"]);
    // An approval with another reference is a second payment, and is refunded.
    let second = json!({ "event_id": "e2", "order_id": id, "outcome": "approve" });
    let answer = send_webhook(&shop.anonymous, PAYMENTS, &second).await.expect(200);
    assert_eq!(answer, json!({ "order_id": id, "status": "confirmed", "applied": false }));
    assert_eq!(shop.payments(&id).await, ["approved", "refunded"]);
    assert_eq!(
        client.get(&format!("/v1/orders/{id}")).await.expect(200)["payment"]["state"],
        "approved"
    );

    // An early event is refused, and can be sent again with the same id.
    let id = client.place(me, "SILENT-1", "manual").await;
    let early = json!({ "event_id": "e3", "order_id": id, "outcome": "approve" });
    assert_eq!(
        send_webhook(&shop.anonymous, PAYMENTS, &early).await.problem(),
        (409, "not_payable_yet")
    );
    client.post(&format!("/v1/orders/{id}/cancel"), &json!({})).await.expect(200);
    send_webhook(&shop.anonymous, PAYMENTS, &early).await.expect(200);
    assert_eq!(shop.payments(&id).await, ["refunded"]);
    assert_eq!(client.get(&format!("/v1/orders/{id}")).await.expect(200)["status"], "cancelled");
    shop.close().await;
}

#[tokio::test]
async fn carrier_webhooks_ship_and_deliver() {
    let shop = Shop::open(Deadlines::NONE).await;
    shop.sell(&[("KB-RED", 100), ("SILENT-1", 100)]).await;
    let (me, client) = shop.customer();
    let id = client.place(me, "KB-RED", "test").await;
    client.wait(&id, "confirmed").await;
    let arrived = json!({ "event_id": "s2", "order_id": id, "status": "delivered" });
    assert_eq!(
        send_webhook(&shop.anonymous, SHIPMENTS, &arrived).await.problem(),
        (409, "not_shipped")
    );
    let shipped = json!({ "event_id": "s1", "order_id": id, "status": "shipped", "carrier": "SF", "tracking_number": "SF1" });
    let answer = send_webhook(&shop.anonymous, SHIPMENTS, &shipped).await.expect(200);
    assert_eq!(answer, json!({ "order_id": id, "status": "shipped", "applied": true }));
    assert_eq!(send_webhook(&shop.anonymous, SHIPMENTS, &shipped).await.expect(200), answer);
    assert_eq!(
        send_webhook(&shop.anonymous, SHIPMENTS, &arrived).await.expect(200)["status"],
        "delivered"
    );
    let order = client.get(&format!("/v1/orders/{id}")).await.expect(200);
    assert_eq!(
        (&order["status"], &order["shipment"]["tracking_number"]),
        (&json!("delivered"), &json!("SF1"))
    );
    let late = json!({ "event_id": "s3", "order_id": id, "status": "shipped", "carrier": "x", "tracking_number": "y" });
    assert_eq!(send_webhook(&shop.anonymous, SHIPMENTS, &late).await.expect(200)["applied"], false);
    client.timeline_with(&id, "inventory stock.deducted.v1").await;

    let id = client.place(me, "SILENT-1", "test").await;
    let soon = json!({ "event_id": "s4", "order_id": id, "status": "shipped", "carrier": "x", "tracking_number": "y" });
    assert_eq!(
        send_webhook(&shop.anonymous, SHIPMENTS, &soon).await.problem(),
        (409, "not_shippable")
    );
    let bare = json!({ "event_id": " ", "order_id": id, "status": "shipped" });
    let answer = send_webhook(&shop.anonymous, SHIPMENTS, &bare).await;
    assert_eq!(
        (answer.problem().0, answer.fields()),
        (422, vec!["carrier", "event_id", "tracking_number"])
    );
    shop.close().await;
}

#[tokio::test]
async fn webhooks_with_invalid_signatures_change_nothing() {
    let mut shop = Shop::open(Deadlines::NONE).await;
    shop.sell(&[("KB-RED", 100)]).await;
    let (me, client) = shop.customer();
    let id = client.place(me, "KB-RED", "manual").await;
    client.wait(&id, "reserved").await;
    let body = json!({ "event_id": "e1", "order_id": id, "outcome": "approve" }).to_string();
    let other = body.replace("e1", "e2");
    for signature in [
        String::new(),
        "t=1".to_owned(),
        sign("another secret", now(), &body),
        sign(WEBHOOK_SECRET, now(), &other),
        sign(WEBHOOK_SECRET, now() - 301, &body),
        sign(WEBHOOK_SECRET, now() + 301, &body),
    ] {
        let answer = shop.anonymous.send_webhook(PAYMENTS, &body, &signature).await;
        assert_eq!(answer.problem(), (401, "bad_signature"), "{signature}");
    }
    let good = sign(WEBHOOK_SECRET, now(), "[]");
    assert_eq!(shop.anonymous.send_webhook(PAYMENTS, "[]", &good).await.problem().0, 422);
    let unknown =
        json!({ "event_id": "e1", "order_id": vocabulary::OrderId::new(), "outcome": "approve" });
    assert_eq!(
        send_webhook(&shop.anonymous, PAYMENTS, &unknown).await.problem(),
        (404, "not_found")
    );
    let off = shop.start_without_secret().await;
    assert_eq!(
        off.send_webhook(PAYMENTS, &body, &sign(WEBHOOK_SECRET, now(), &body)).await.problem(),
        (503, "webhooks_off")
    );
    assert_eq!(client.get(&format!("/v1/orders/{id}")).await.expect(200)["status"], "reserved");
    assert!(shop.payments(&id).await.is_empty());
    shop.close().await;
}
