//! The ledger of money per order.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    shop::{Client, Deadlines, Shop},
    webhooks::{PAYMENTS, send_webhook},
};

/// The kinds and amounts of an order's ledger, and its balance.
async fn ledger(client: &Client, order: &str) -> (Vec<(String, i64)>, Value) {
    let read = client.get(&format!("/v1/orders/{order}/money")).await.expect(200);
    let items = read["items"].as_array().unwrap().iter().map(|item| {
        assert_eq!(item["currency"], "CNY");
        (item["kind"].as_str().unwrap().to_owned(), item["amount"].as_i64().unwrap())
    });
    (items.collect(), read["balance"].clone())
}

fn entry(kind: &str, amount: i64) -> (String, i64) {
    (kind.to_owned(), amount)
}

#[tokio::test]
async fn money_that_comes_in_and_goes_out_is_recorded() {
    let pay = Duration::from_millis(300);
    let shop = Shop::open(Deadlines { pay, ..Deadlines::NONE }).await;
    shop.sell(&[("PEN", 5_500)]).await;
    let (me, client) = shop.customer();
    let paid = client.place(me, "PEN", "test").await;
    client.wait(&paid, "confirmed").await;
    assert_eq!(ledger(&client, &paid).await, (vec![entry("captured", 5_500)], json!(5_500)));
    client.post(&format!("/v1/orders/{paid}/cancel"), &json!({})).await.expect(200);
    let both = vec![entry("captured", 5_500), entry("refunded", -5_500)];
    assert_eq!(ledger(&client, &paid).await, (both.clone(), json!(0)));

    let declined = client.place(me, "PEN", "test_decline").await;
    client.wait(&declined, "payment_failed").await;
    assert_eq!(ledger(&client, &declined).await, (vec![], json!(0)));

    // A payment that comes too late is refunded, and one of another amount settles nothing.
    let late = client.place(me, "PEN", "manual").await;
    client.wait(&late, "expired").await;
    for (event, amount) in [("e1", 1), ("e2", 5_500)] {
        let payment = json!({
            "event_id": event, "order_id": late, "outcome": "approve", "reference": "p1",
            "amount": { "amount": amount, "currency": "CNY" },
        });
        send_webhook(&shop.anonymous, PAYMENTS, &payment).await.expect(200);
    }
    let mut all = vec![entry("unmatched", 1)];
    all.extend(both);
    assert_eq!(ledger(&client, &late).await, (all, json!(0)));

    let (_, stranger) = shop.customer();
    let path = format!("/v1/orders/{late}/money");
    assert_eq!(stranger.get(&path).await.problem(), (403, "not_yours"));
    assert_eq!(shop.anonymous.get(&path).await.problem(), (401, "unauthorized"));
    shop.close().await;
}

#[tokio::test]
async fn the_ledger_of_money_is_only_appended() {
    let shop = Shop::open(Deadlines::NONE).await;
    shop.sell(&[("PEN", 5_500)]).await;
    let (me, client) = shop.customer();
    let id = client.place(me, "PEN", "test").await;
    client.wait(&id, "confirmed").await;
    for change in
        ["update order_money set amount = 1", "delete from order_money", "truncate order_money"]
    {
        let refused = sqlx::raw_sql(change).execute(&shop.order).await.unwrap_err();
        assert!(refused.to_string().contains("only appended"), "{refused}");
    }
    shop.close().await;
}
