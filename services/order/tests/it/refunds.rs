//! Refunds by a payment provider, which is an HTTP server of the test.

use std::time::Duration;

use serde_json::{Value, json};
use service_testkit::LONGEST_WAIT;
use testkit::wait_for;

use crate::{
    shop::{Client, Deadlines, Shop},
    webhook_receiver::{Receiver, Reply},
    webhooks::{PAYMENTS, send_webhook},
};

/// The secret that the service and the provider share.
pub(crate) const PROVIDER_SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/// Pays an order by a webhook of the provider and cancels it, and returns its id.
async fn cancel_paid(shop: &Shop, reference: &str) -> (Client, String) {
    let (me, client) = shop.customer();
    let id = client.place(me, "PEN", "manual").await;
    client.wait(&id, "reserved").await;
    let paid = json!({
        "event_id": reference, "order_id": id, "outcome": "approve", "reference": reference,
        "amount": { "amount": 5_500, "currency": "CNY" },
    });
    send_webhook(&shop.anonymous, PAYMENTS, &paid).await.expect(200);
    let cancel = format!("/v1/orders/{id}/cancel");
    let cancelled = client.post(&cancel, &json!({})).await.expect(200);
    assert_eq!(cancelled["payment"]["state"], "refund_pending");
    (client, id)
}

/// Waits until the only refund has had this number of attempts.
async fn wait_for_attempts(shop: &Shop, attempts: i64) {
    wait_for("the provider was asked", LONGEST_WAIT, async || {
        let found = shop.count("select sum(attempts) from provider_request").await;
        if found >= attempts { Ok(()) } else { Err(format!("{found} attempts")) }
    })
    .await
    .unwrap();
}

async fn wait_for_refund(client: &Client, order: &str) {
    client.timeline_with(order, "order payment.refunded").await;
    let read = client.get(&format!("/v1/orders/{order}")).await.expect(200);
    assert_eq!(read["payment"]["state"], "refunded");
}

fn refunded() -> Reply {
    Reply::Json(200, json!({ "status": "refunded", "reference": "re_1" }))
}

#[tokio::test]
async fn a_refund_is_asked_for_until_the_provider_has_made_it() {
    let mut shop = Shop::open(Deadlines::NONE).await;
    shop.sell(&[("PEN", 5_500)]).await;
    let provider = Receiver::start().await;
    shop.restart_with_payment_provider(&provider.url("/shop/")).await;
    let wrong_answers = [
        Reply::After(Duration::from_secs(3)),
        Reply::Status(500),
        Reply::Status(204),
        Reply::Redirect(provider.url("/elsewhere")),
        Reply::Megabytes(Some(100)),
        Reply::Json(200, json!({ "status": "perhaps" })),
        Reply::Json(202, json!({ "status": "pending" })),
    ];
    let mut answers = wrong_answers.clone().into_iter();
    provider.answer(move |_| answers.next().unwrap_or_else(refunded));
    let (client, id) = cancel_paid(&shop, "pay_1").await;
    for attempts in 1..=7 {
        wait_for_attempts(&shop, attempts).await;
        let ledger = client.get(&format!("/v1/orders/{id}/money")).await.expect(200);
        assert_eq!(ledger["balance"], 5_500, "after {attempts} attempts");
        shop.run("update provider_request set next_attempt_at = now()").await;
    }
    wait_for_refund(&client, &id).await;

    let received = provider.received();
    assert_eq!(received.len(), 8);
    for request in &received {
        assert_eq!((&*request.path, &request.body), ("/shop/refunds", &received[0].body));
        assert_eq!(request.headers["idempotency-key"], received[0].headers["idempotency-key"]);
        assert!(request.is_signed_with(PROVIDER_SECRET));
    }
    // A hundred megabytes are not read.
    assert!(provider.sent_megabytes() < 20, "{}", provider.sent_megabytes());
    let body = received[0].json();
    assert_eq!(
        (&body["order_id"], &body["reference"], &body["amount"]["amount"]),
        (&json!(id), &json!("pay_1"), &json!(5_500))
    );
    let events = client.timeline(&id).await;
    let of_refund: Vec<&String> = events.iter().filter(|event| event.contains("refund")).collect();
    assert_eq!(of_refund, ["order payment.refund_requested", "order payment.refunded"]);
    let ledger = client.get(&format!("/v1/orders/{id}/money")).await.expect(200);
    assert_eq!((&ledger["balance"], ledger["items"].as_array().unwrap().len()), (&json!(0), 2));
    shop.close().await;
}

#[tokio::test]
async fn a_process_that_dies_asks_again_with_the_same_key() {
    let mut shop = Shop::open(Deadlines::NONE).await;
    shop.sell(&[("PEN", 5_500)]).await;
    let provider = Receiver::answering(|_| Reply::Never).await;
    shop.restart_with_payment_provider(&provider.url("")).await;
    cancel_paid(&shop, "pay_1").await;
    provider.wait_for(1).await;
    shop.kill_instances().await;
    provider.answer(|_| refunded());
    shop.run("update provider_request set claimed_until = now()").await;
    shop.restart_with_payment_provider(&provider.url("")).await;
    wait_for("the refund is made", LONGEST_WAIT, async || {
        let done = shop.count("select count(*) from provider_request where state = 'done'").await;
        if done == 1 { Ok(()) } else { Err("it is not") }
    })
    .await
    .unwrap();
    let received = provider.received();
    let keys = received.iter().map(|request| &request.headers["idempotency-key"]);
    assert!(
        keys.clone().count() >= 2 && keys.clone().all(|key| key == keys.clone().next().unwrap())
    );
    assert_eq!(shop.count("select count(*) from order_money where kind = 'refunded'").await, 1);
    shop.close().await;
}

#[tokio::test]
async fn a_refused_refund_waits_for_an_operator() {
    let mut shop = Shop::open(Deadlines::NONE).await;
    shop.sell(&[("PEN", 5_500)]).await;
    let refusal = json!({ "status": "refused", "reason": "the account is closed" });
    let provider = Receiver::answering(move |_| Reply::Json(422, refusal.clone())).await;
    shop.restart_with_payment_provider(&provider.url("")).await;
    let (client, id) = cancel_paid(&shop, "pay_1").await;
    wait_for_attempts(&shop, 1).await;
    let admin = shop.admin();
    let failed = admin.get("/v1/payment-requests?state=failed").await.expect(200);
    let refund = &failed["items"][0];
    assert_eq!(
        (&refund["order_id"], &refund["error"], &refund["state"]),
        (&json!(id), &json!("the account is closed"), &json!("failed"))
    );
    assert_eq!(
        admin.get("/v1/payment-requests?state=pending").await.expect(200)["items"],
        json!([])
    );

    let retry =
        format!("/v1/payment-requests/{}/refund/retry", refund["payment_id"].as_str().unwrap());
    for path in ["/v1/payment-requests?state=failed", &retry] {
        let method = if path == retry { reqwest::Method::POST } else { reqwest::Method::GET };
        let answer = client.send(method.clone(), path, None, None).await;
        assert_eq!(answer.problem(), (403, "insufficient_scope"));
        let answer = shop.anonymous.send(method, path, None, None).await;
        assert_eq!(answer.problem(), (401, "unauthorized"));
    }
    provider.answer(|_| refunded());
    admin.post(&retry, &Value::Null).await.expect(202);
    wait_for_refund(&client, &id).await;
    assert_eq!(admin.post(&retry, &Value::Null).await.problem(), (404, "not_found"));
    let done = admin.get("/v1/payment-requests?state=done").await.expect(200);
    assert_eq!(done["items"][0]["answer_reference"], "re_1");
    shop.close().await;
}
