//! Signed webhooks of payment providers and carriers.

use chrono::Utc;
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::shop::{Answer, Client, Deadlines, Shop, WEBHOOK_SECRET, order_request};

pub(crate) const PAYMENTS: &str = "/v1/webhooks/payments";
pub(crate) const SHIPMENTS: &str = "/v1/webhooks/shipments";

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

#[tokio::test]
async fn parcels_ship_one_after_the_other_by_callbacks() {
    let shop = Shop::open(Deadlines::NONE).await;
    shop.sell(&[("SPLIT-A", 100)]).await;
    let (me, client) = shop.customer();
    let body = order_request(me, &[("SPLIT-A", 3)], "test");
    let placed = client.post("/v1/orders", &body).await.expect(202);
    assert_eq!(placed["fulfilment"], json!({ "state": "unfulfilled", "parcels": [] }));
    let id = placed["id"].as_str().unwrap().to_owned();
    let order = client.wait(&id, "confirmed").await;
    let parcels = order["fulfilment"]["parcels"].as_array().unwrap();
    let of = |parcel: &Value| (parcel["state"].clone(), parcel["lines"].clone());
    let line = |pieces: i64| json!([{ "sku": "SPLIT-A", "quantity": pieces }]);
    assert_eq!(of(&parcels[0]), (json!("pending"), line(1)));
    assert_eq!(of(&parcels[1]), (json!("pending"), line(2)));
    let (first, second) = (parcels[0]["id"].clone(), parcels[1]["id"].clone());
    let report = |event: &str, parcel: Option<&Value>, status: &str| {
        let mut body = json!({ "event_id": event, "order_id": id, "status": status });
        if let Some(parcel) = parcel {
            body["parcel_id"] = parcel.clone();
        }
        if status == "shipped" {
            body["carrier"] = json!("SF");
            body["tracking_number"] = json!(format!("SF-{event}"));
        }
        body
    };
    let send = async |body: Value| send_webhook(&shop.anonymous, SHIPMENTS, &body).await;
    let unknown = send(report("p0", Some(&json!(me)), "shipped")).await;
    assert_eq!(unknown.problem(), (404, "not_found"));
    let early = send(report("p1", Some(&second), "delivered")).await;
    assert_eq!(early.problem(), (409, "not_shipped"));
    let answer = send(report("p2", Some(&second), "shipped")).await.expect(200);
    assert_eq!(answer, json!({ "order_id": id, "status": "confirmed", "applied": true }));
    // Another event about the same parcel changes nothing.
    let again = send(report("p3", Some(&second), "shipped")).await.expect(200);
    assert_eq!(again["applied"], false);
    let cancelled = client.post(&format!("/v1/orders/{id}/cancel"), &json!({})).await;
    assert_eq!(cancelled.problem(), (409, "not_cancellable"));
    let order = client.get(&format!("/v1/orders/{id}")).await.expect(200);
    let fulfilment = &order["fulfilment"];
    assert_eq!(
        (&order["status"], &fulfilment["state"]),
        (&json!("confirmed"), &json!("partly_shipped"))
    );
    assert_eq!(
        (&fulfilment["parcels"][1]["tracking_number"], order.get("shipment")),
        (&json!("SF-p2"), None)
    );

    let early = send(report("p4", None, "delivered")).await;
    assert_eq!(early.problem(), (409, "not_shipped"));
    assert_eq!(
        send(report("p5", Some(&second), "delivered")).await.expect(200)["status"],
        "confirmed"
    );
    assert_eq!(send(report("p6", Some(&first), "shipped")).await.expect(200)["status"], "shipped");
    let order = client.get(&format!("/v1/orders/{id}")).await.expect(200);
    assert_eq!(
        (&order["fulfilment"]["state"], &order["shipment"]["tracking_number"]),
        (&json!("partly_delivered"), &json!("SF-p6"))
    );
    assert_eq!(send(report("p7", None, "delivered")).await.expect(200)["status"], "delivered");
    let order = client.get(&format!("/v1/orders/{id}")).await.expect(200);
    assert_eq!(order["fulfilment"]["state"], "delivered");
    let timeline = client.timeline_with(&id, "inventory stock.deducted.v1").await;
    let count = |event: &str| timeline.iter().filter(|line| line.as_str() == event).count();
    assert_eq!(count("order order.parcel_shipped.v1"), 2);
    assert_eq!(count("order parcel.delivered"), 2);
    assert_eq!((count("order order.shipped.v1"), count("order order.delivered.v1")), (1, 1));
    let inventory = shop.inventory.database().connect().await.unwrap();
    let pieces: i64 = sqlx::query_scalar("select parcel_pieces from reservation")
        .fetch_one(&inventory)
        .await
        .unwrap();
    assert_eq!(pieces, 3);
    inventory.close().await;

    // Without the id of a parcel, a carrier ships all of them.
    let placed = client.post("/v1/orders", &body).await.expect(202);
    let id = placed["id"].as_str().unwrap().to_owned();
    client.wait(&id, "confirmed").await;
    let all = json!({ "event_id": "q", "order_id": id, "status": "shipped", "carrier": "SF", "tracking_number": "1" });
    assert_eq!(send(all).await.expect(200)["status"], "shipped");
    shop.close().await;
}
