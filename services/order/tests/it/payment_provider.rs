//! Payments that a provider authorises, captures and voids. The provider is an HTTP server of the test.

use std::time::Duration;

use serde_json::{Value, json};
use service_testkit::LONGEST_WAIT;
use testkit::wait_for;

use crate::{
    refunds::PROVIDER_SECRET,
    shop::{Client, Deadlines, Shop, order_request},
    webhook_receiver::{Received, Receiver, Reply},
    webhooks::{PAYMENTS, send_webhook},
};

/// A provider that does everything, except for the tokens `poor` and `slow`.
pub(crate) fn obliging(request: &Received) -> Reply {
    let body = request.json();
    let done = match &*request.path {
        "/authorisations" if body["token"] == "poor" => {
            return Reply::Json(402, json!({ "status": "declined", "reason": "no funds" }));
        }
        "/authorisations" if body["token"] == "slow" => {
            return Reply::After(Duration::from_secs(3));
        }
        "/authorisations" => "authorised",
        "/captures" => "captured",
        "/voids" => "voided",
        _ => "refunded",
    };
    // The payment of an order has one id, however often it is authorised.
    let reference = format!("pay_{}", body["order_id"].as_str().unwrap());
    Reply::Json(200, json!({ "status": done, "reference": reference, "amount": body["amount"] }))
}

async fn reserved(shop: &Shop) -> (Client, String, String) {
    let (me, client) = shop.customer();
    let id = client.place(me, "PEN", "manual").await;
    client.wait(&id, "reserved").await;
    let path = format!("/v1/orders/{id}/authorisation");
    (client, id, path)
}

/// Waits until the provider has done this many requests of the background, and returns the operations of all.
async fn wait_for_requests(shop: &Shop, done: i64) -> Vec<(String, String)> {
    wait_for("the provider has acted", LONGEST_WAIT, async || {
        let found = shop.count("select count(*) from provider_request where state = 'done'").await;
        if found >= done { Ok(()) } else { Err(format!("{found} requests")) }
    })
    .await
    .unwrap();
    sqlx::query_as("select operation, state from provider_request order by requested_at, operation")
        .fetch_all(&shop.order)
        .await
        .unwrap()
}

fn done(operation: &str) -> (String, String) {
    (operation.to_owned(), "done".to_owned())
}

#[tokio::test]
async fn a_payment_is_authorised_captured_and_refunded_once() {
    let mut shop = Shop::open(Deadlines::NONE).await;
    shop.sell(&[("PEN", 5_500)]).await;
    let provider = Receiver::answering(obliging).await;
    shop.restart_with_payment_provider(&provider.url("")).await;
    let (client, id, path) = reserved(&shop).await;
    let pay = async |token: &str| client.post(&path, &json!({ "token": token })).await;

    let declined = pay("poor").await;
    assert_eq!(declined.problem(), (402, "payment_declined"));
    assert_eq!(declined.body["detail"], "no funds");
    assert_eq!(pay("slow").await.problem(), (503, "payment_provider_unavailable"));
    assert_eq!(client.get(&format!("/v1/orders/{id}")).await.expect(200)["status"], "reserved");

    // At once, and again: one payment.
    let (one, two) = tokio::join!(pay("tok_1"), pay("tok_1"));
    for answer in [one, two] {
        let is_known = answer.status == 409 && answer.body["code"] == "already_paid";
        assert!(answer.status == 200 || is_known, "{}", answer.body);
    }
    assert_eq!(pay("tok_1").await.problem(), (409, "already_paid"));
    assert_eq!(shop.payments(&id).await, ["approved"]);
    assert_eq!(wait_for_requests(&shop, 1).await, [done("capture")]);

    client.post(&format!("/v1/orders/{id}/cancel"), &json!({})).await.expect(200);
    client.timeline_with(&id, "order payment.refunded").await;
    assert_eq!(wait_for_requests(&shop, 2).await, [done("capture"), done("refund")]);
    assert_eq!(shop.payments(&id).await, ["refunded"]);

    let received = provider.received();
    assert!(received.iter().all(|request| request.is_signed_with(PROVIDER_SECRET)));
    let keys = |token: &str| -> Vec<String> {
        let of_token = received.iter().filter(|request| request.json()["token"] == token);
        of_token
            .map(|request| request.headers["idempotency-key"].to_str().unwrap().to_owned())
            .collect()
    };
    let keys_of_payment = keys("tok_1");
    assert!(keys_of_payment.iter().all(|key| *key == keys_of_payment[0]));
    assert!(!keys("poor").contains(&keys_of_payment[0]));
    let amounts = received.iter().map(|request| request.json()["amount"].clone());
    let amount = json!({ "amount": 5_500, "currency": "CNY" });
    assert!(amounts.clone().all(|found| found == amount), "{:?}", amounts.collect::<Vec<_>>());
    shop.close().await;
}

#[tokio::test]
async fn an_authorisation_that_comes_too_late_is_voided() {
    let mut shop = Shop::open(Deadlines::NONE).await;
    shop.sell(&[("PEN", 5_500)]).await;
    let provider = Receiver::answering(obliging).await;
    shop.restart_with_payment_provider(&provider.url("")).await;
    let (client, id, path) = reserved(&shop).await;
    // The order is cancelled while the provider thinks.
    let mut lock = shop.order.begin().await.unwrap();
    let locked = "select id from orders for update";
    sqlx::raw_sql(locked).execute(&mut *lock).await.unwrap();
    let token = json!({ "token": "tok_1" });
    let paying = client.post(&path, &token);
    let cancelling = async {
        provider.wait_for(1).await;
        let cancel = "update orders set status = 'cancelled', due_at = null, reason = '{\"code\": \"x\", \"text\": \"x\"}'";
        sqlx::raw_sql(cancel).execute(&mut *lock).await.unwrap();
        lock.commit().await.unwrap();
    };
    let (paid, ()) = tokio::join!(paying, cancelling);
    assert_eq!(
        (paid.problem(), &paid.body["order_status"]),
        ((409, "not_payable_yet"), &json!("cancelled"))
    );
    assert_eq!(wait_for_requests(&shop, 1).await, [done("void")]);
    assert_eq!(shop.payments(&id).await, [""; 0]);
    let ledger = client.get(&format!("/v1/orders/{id}/money")).await.expect(200);
    assert_eq!(ledger["items"], json!([]));
    shop.close().await;
}

#[tokio::test]
async fn a_payment_that_a_webhook_reports_first_is_captured_once() {
    let mut shop = Shop::open(Deadlines::NONE).await;
    shop.sell(&[("PEN", 5_500)]).await;
    let provider = Receiver::answering(obliging).await;
    shop.restart_with_payment_provider(&provider.url("")).await;
    let (client, id, path) = reserved(&shop).await;
    let mut lock = shop.order.begin().await.unwrap();
    sqlx::raw_sql("select id from orders for update").execute(&mut *lock).await.unwrap();
    let token = json!({ "token": "tok_1" });
    let paying = client.post(&path, &token);
    let reporting = async {
        provider.wait_for(1).await;
        let paid = json!({
            "event_id": "e1", "order_id": id, "outcome": "approve", "reference": format!("pay_{id}"),
            "amount": { "amount": 5_500, "currency": "CNY" },
        });
        let report = send_webhook(&shop.anonymous, PAYMENTS, &paid);
        let unlocking = async { lock.commit().await.unwrap() };
        tokio::join!(report, unlocking).0.expect(200)
    };
    let (paid, _) = tokio::join!(paying, reporting);
    assert_eq!(paid.expect(200)["status"], "confirmed");
    assert_eq!(shop.payments(&id).await, ["approved"]);
    assert_eq!(wait_for_requests(&shop, 1).await, [done("capture")]);
    shop.close().await;
}

#[tokio::test]
async fn a_refund_waits_until_its_payment_is_captured() {
    let mut shop = Shop::open(Deadlines::NONE).await;
    shop.sell(&[("PEN", 5_500)]).await;
    let provider = Receiver::answering(|request| match &*request.path {
        "/captures" => Reply::Json(202, json!({ "status": "pending" })),
        _ => obliging(request),
    })
    .await;
    shop.restart_with_payment_provider(&provider.url("")).await;
    let (client, id, path) = reserved(&shop).await;
    client.post(&path, &json!({ "token": "tok_1" })).await.expect(200);
    client.post(&format!("/v1/orders/{id}/cancel"), &json!({})).await.expect(200);
    provider.wait_for(2).await;
    let paths =
        || -> Vec<String> { provider.received().into_iter().map(|request| request.path).collect() };
    wait_for("the capture is pending", LONGEST_WAIT, async || {
        let asked =
            "select count(*) from provider_request where operation = 'capture' and attempts > 0";
        if shop.count(asked).await == 1 { Ok(()) } else { Err("it is not") }
    })
    .await
    .unwrap();
    assert!(!paths().contains(&"/refunds".to_owned()));
    provider.answer(obliging);
    shop.run("update provider_request set next_attempt_at = now() where operation = 'capture'")
        .await;
    client.timeline_with(&id, "order payment.refunded").await;
    let asked = paths();
    assert_eq!(asked[asked.len() - 2..], ["/captures", "/refunds"]);
    shop.close().await;
}

#[tokio::test]
async fn only_reserved_orders_are_paid_at_the_provider() {
    let mut shop = Shop::open(Deadlines::NONE).await;
    shop.sell(&[("PEN", 5_500), ("SILENT-1", 100)]).await;
    let (me, client) = shop.customer();
    let order = order_request(me, &[("SILENT-1", 1)], "manual");
    let placed = client.post("/v1/orders", &order).await.expect(202);
    let path = format!("/v1/orders/{}/authorisation", placed["id"].as_str().unwrap());
    let token = json!({ "token": "tok_1" });
    assert_eq!(client.post(&path, &token).await.problem(), (409, "payment_provider_off"));

    let provider = Receiver::answering(obliging).await;
    shop.restart_with_payment_provider(&provider.url("")).await;
    let client = shop.client_of(
        &shop.anonymous,
        &me.to_string(),
        &[runtime::auth::Scope::OrdersWrite, runtime::auth::Scope::OrdersRead],
    );
    assert_eq!(client.post(&path, &token).await.problem(), (409, "not_payable_yet"));
    for bad in [json!({}), json!({ "token": " " }), json!({ "token": "x".repeat(1_001) })] {
        let refused = client.post(&path, &bad).await;
        assert_eq!((refused.problem().0, refused.fields()), (422, vec!["token"]));
    }
    let (_, stranger) = shop.customer();
    assert_eq!(stranger.post(&path, &token).await.problem(), (403, "not_yours"));
    assert_eq!(shop.anonymous.post(&path, &token).await.problem(), (401, "unauthorized"));
    assert_eq!(provider.received().len(), 0);
    let unknown = format!("/v1/orders/{}/authorisation", vocabulary::OrderId::new());
    assert_eq!(client.post(&unknown, &token).await.problem(), (403, "not_yours"));
    assert_eq!(client.post(&path, &Value::Null).await.status, 422);
    shop.close().await;
}
