//! The price shown is the price charged, and the amount paid is the amount due.

use runtime::auth::Scope;
use serde_json::{Value, json};

use crate::{
    shop::{Deadlines, Shop, order_request},
    webhooks::{PAYMENTS, send_webhook},
};

fn cny(amount: i64) -> Value {
    json!({ "amount": amount, "currency": "CNY" })
}

#[tokio::test]
async fn an_order_at_another_price_than_shown_is_refused() {
    let shop = Shop::open(Deadlines::NONE).await;
    shop.sell(&[("PEN", 5_500), ("INK", 900)]).await;
    let (me, client) = shop.customer();
    let request = |total: Option<i64>, pen: Option<i64>| {
        let mut body = order_request(me, &[("PEN", 1), ("INK", 2)], "manual");
        if let Some(total) = total {
            body["expected_total"] = cny(total);
        }
        if let Some(pen) = pen {
            body["lines"][0]["expected_unit_price"] = cny(pen);
        }
        body
    };
    // Neither a lower price that was shown nor a higher one is charged.
    for (total, pen) in [(Some(7_299), None), (Some(7_301), None), (None, Some(3_500))] {
        let refused = client.post("/v1/orders", &request(total, pen)).await;
        assert_eq!(refused.problem(), (409, "price_changed"), "{}", refused.body);
    }
    let refused = client.post("/v1/orders", &request(Some(5_300), Some(3_500))).await;
    let line = json!({ "sku": "PEN", "shown": cny(3_500), "current": cny(5_500) });
    assert_eq!(refused.body["lines"], json!([line]));
    assert_eq!(refused.body["total"], json!({ "shown": cny(5_300), "current": cny(7_300) }));
    // An unknown price does not hold either.
    let mut unknown = order_request(me, &[("UNKNOWN", 1)], "manual");
    unknown["expected_total"] = cny(100);
    assert_eq!(client.post("/v1/orders", &unknown).await.problem(), (409, "price_changed"));
    assert_eq!(shop.count("select count(*) from orders").await, 0);

    for (total, pen) in [(Some(7_300), Some(5_500)), (None, Some(5_500)), (None, None)] {
        let placed = client.post("/v1/orders", &request(total, pen)).await.expect(202);
        assert_eq!(placed["total"], cny(7_300));
    }
    let mut contradictory = order_request(me, &[("PEN", 1), ("PEN", 1)], "manual");
    contradictory["lines"][0]["expected_unit_price"] = cny(5_500);
    contradictory["lines"][1]["expected_unit_price"] = cny(5_400);
    let answer = client.post("/v1/orders", &contradictory).await;
    assert_eq!((answer.problem().0, answer.fields()), (422, vec!["lines[1].expected_unit_price"]));
    shop.close().await;
}

#[tokio::test]
async fn a_payment_of_another_amount_confirms_nothing() {
    let shop = Shop::open(Deadlines::NONE).await;
    shop.sell(&[("PEN", 5_500)]).await;
    let (me, client) = shop.customer();
    let id = client.place(me, "PEN", "manual").await;
    client.wait(&id, "reserved").await;
    let event = |event: &str, amount: Value| {
        json!({
            "event_id": event, "order_id": id, "outcome": "approve", "reference": "pay_1", "amount": amount,
        })
    };
    let usd = json!({ "amount": 5_500, "currency": "USD" });
    let kept = json!({ "order_id": id, "status": "reserved", "applied": false });
    for (name, amount) in [("e1", cny(1)), ("e2", usd), ("e3", cny(5_501))] {
        let answer = send_webhook(&shop.anonymous, PAYMENTS, &event(name, amount)).await;
        assert_eq!(answer.expect(200), kept, "{name}");
    }
    // The same payment under another event is known.
    send_webhook(&shop.anonymous, PAYMENTS, &event("e4", cny(1))).await.expect(200);
    assert_eq!(shop.payments(&id).await, ["mismatched"; 3]);
    client.timeline_with(&id, "order payment.mismatched").await;

    let listed = shop.admin().get("/v1/payments/mismatched").await.expect(200);
    let items = listed["items"].as_array().unwrap();
    assert_eq!((&items[2]["paid"], &items[2]["total"]), (&cny(1), &cny(5_500)));
    let page =
        format!("/v1/payments/mismatched?limit=2&after={}", items[0]["id"].as_str().unwrap());
    assert_eq!(shop.admin().get(&page).await.expect(200)["items"], json!(items[1..]));
    assert_eq!(client.get("/v1/payments/mismatched").await.problem(), (403, "insufficient_scope"));
    let bad = shop.admin().get("/v1/payments/mismatched?limit=0").await;
    assert_eq!(bad.problem(), (400, "invalid_query"));

    let answer =
        send_webhook(&shop.anonymous, PAYMENTS, &event("e5", cny(5_500))).await.expect(200);
    assert_eq!(answer, json!({ "order_id": id, "status": "confirmed", "applied": true }));
    assert_eq!(
        client.get(&format!("/v1/orders/{id}")).await.expect(200)["payment"]["state"],
        "approved"
    );
    shop.close().await;
}

#[tokio::test]
async fn customers_pay_with_play_money_only_if_allowed() {
    let mut shop = Shop::open(Deadlines::NONE).await;
    shop.sell(&[("PEN", 5_500)]).await;
    let strict = shop.start_without_test_payments().await;
    let (me, _) = shop.customer();
    let scopes = [Scope::OrdersWrite, Scope::OrdersRead];
    let client = shop.client_of(&strict, &me.to_string(), &scopes);
    let admin = shop.client_of(&strict, "admin", &[Scope::OrdersAdmin]);
    for method in ["test", "test_decline"] {
        let refused = client.post("/v1/orders", &order_request(me, &[("PEN", 1)], method)).await;
        assert_eq!((refused.problem().0, refused.fields()), (422, vec!["payment.method"]));
    }
    let id = client.place(me, "PEN", "manual").await;
    client.wait(&id, "reserved").await;
    let pay = format!("/v1/orders/{id}/payment");
    assert_eq!(client.post(&pay, &json!({})).await.problem(), (409, "test_payments_off"));
    assert_eq!(client.get(&format!("/v1/orders/{id}")).await.expect(200)["status"], "reserved");
    assert_eq!(admin.post(&pay, &json!({})).await.expect(200)["status"], "confirmed");
    shop.close().await;
}
