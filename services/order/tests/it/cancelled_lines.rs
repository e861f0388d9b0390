//! Lines that are cancelled before the order is shipped.

use futures::future::join_all;
use serde_json::{Value, json};
use service_testkit::LONGEST_WAIT;
use testkit::wait_for;

use crate::{
    payment_provider::obliging,
    shop::{Client, Deadlines, Shop, order_request},
    webhook_receiver::Receiver,
    webhooks::{SHIPMENTS, send_webhook},
};

/// Places an order, and returns it once it has this status.
async fn placed(
    shop: &Shop,
    lines: &[(&str, i64)],
    method: &str,
    status: &str,
) -> (Client, String) {
    let (me, client) = shop.customer();
    let placed = client.post("/v1/orders", &order_request(me, lines, method)).await.expect(202);
    let id = placed["id"].as_str().unwrap().to_owned();
    client.wait(&id, status).await;
    (client, id)
}

async fn balance(client: &Client, order: &str) -> i64 {
    let ledger = client.get(&format!("/v1/orders/{order}/money")).await.expect(200);
    ledger["balance"].as_i64().unwrap()
}

async fn wait_for_released_pieces(shop: &Shop, order: &str, pieces: i64) {
    wait_for("inventory has the cancellations", LONGEST_WAIT, async || {
        let query = "select cancelled_pieces from reservation where order_id = $1::uuid";
        let pool = shop.inventory.outbox().pool();
        let found: i64 = sqlx::query_scalar(query).bind(order).fetch_one(pool).await.unwrap();
        if found == pieces { Ok(()) } else { Err(format!("{found} pieces")) }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn cancelled_pieces_are_released_and_paid_back() {
    let shop = Shop::open(Deadlines::NONE).await;
    shop.sell(&[("PEN", 1_000), ("INK", 333)]).await;
    let sale = json!({ "name": "Sale", "basis_points_off": 777 });
    assert_eq!(shop.admin().post("/v1/promotions", &sale).await.status, 201);
    let (client, id) = placed(&shop, &[("PEN", 3), ("INK", 2)], "test", "confirmed").await;
    let total = balance(&client, &id).await;
    let line = |sku: &str| format!("/v1/orders/{id}/lines/{sku}/cancel");

    let order = client.post(&line("PEN"), &json!({ "quantity": 2 })).await.expect(200);
    let cancelled: Vec<&Value> =
        order["lines"].as_array().unwrap().iter().map(|line| &line["cancelled"]).collect();
    assert_eq!((cancelled, &order["status"]), (vec![&Value::Null, &json!(2)], &json!("confirmed")));
    let refunded = order["payment"]["refunded"]["amount"].as_i64().unwrap();
    assert_eq!(balance(&client, &id).await, total - refunded);
    let parcels = &order["fulfilment"]["parcels"][0]["lines"];
    assert_eq!(parcels, &json!([{ "sku": "INK", "quantity": 2 }, { "sku": "PEN", "quantity": 1 }]));
    // Without a quantity: what is left of the line.
    let order = client.post(&line("INK"), &Value::Null).await;
    assert_eq!(order.status, 422);
    let order = client.post(&line("INK"), &json!({})).await.expect(200);
    assert_eq!(
        order["fulfilment"]["parcels"][0]["lines"],
        json!([{ "sku": "PEN", "quantity": 1 }])
    );
    wait_for_released_pieces(&shop, &id, 4).await;

    for (sku, body, problem) in [
        ("INK", json!({}), (409, "too_many_cancelled")),
        ("PEN", json!({ "quantity": 2 }), (409, "too_many_cancelled")),
        ("PEN", json!({ "quantity": 1 }), (409, "nothing_left")),
        ("CUP", json!({}), (404, "not_found")),
    ] {
        assert_eq!(client.post(&line(sku), &body).await.problem(), problem, "{sku} {body}");
    }
    assert_eq!(client.post(&line("PEN"), &json!({ "quantity": 0 })).await.fields(), ["quantity"]);
    let (_, stranger) = shop.customer();
    assert_eq!(stranger.post(&line("PEN"), &json!({})).await.problem(), (403, "not_yours"));
    assert_eq!(shop.anonymous.post(&line("PEN"), &json!({})).await.problem().0, 401);

    // The rest ships, comes back and is paid back: all together the total.
    for status in ["shipped", "delivered"] {
        let event = json!({
            "event_id": format!("{id} {status}"), "order_id": id, "status": status, "carrier": "SF", "tracking_number": "1",
        });
        send_webhook(&shop.anonymous, SHIPMENTS, &event).await.expect(200);
    }
    assert_eq!(client.post(&line("PEN"), &json!({})).await.problem(), (409, "not_cancellable"));
    let returns = format!("/v1/orders/{id}/returns");
    let pieces =
        |quantity| json!({ "lines": [{ "sku": "PEN", "quantity": quantity, "reason": "other" }] });
    assert_eq!(client.post(&returns, &pieces(2)).await.problem(), (409, "too_many_returned"));
    let announced = client.post(&returns, &pieces(1)).await.location.unwrap();
    let receipt = json!({ "lines": [{ "sku": "PEN", "restocked": 1 }] });
    shop.admin().post(&format!("{announced}/receipt"), &receipt).await.expect(200);
    assert_eq!(client.get(&format!("/v1/orders/{id}")).await.expect(200)["status"], "returned");
    assert_eq!(balance(&client, &id).await, 0);
    shop.close().await;
}

#[tokio::test]
async fn lines_of_unpaid_and_partly_shipped_orders_stay() {
    let shop = Shop::open(Deadlines::NONE).await;
    shop.sell(&[("PEN", 1_000), ("SPLIT-CUP", 100)]).await;
    let (client, id) = placed(&shop, &[("PEN", 3)], "manual", "reserved").await;
    let refused = client.post(&format!("/v1/orders/{id}/lines/PEN/cancel"), &json!({})).await;
    assert_eq!(
        (refused.problem(), &refused.body["order_status"]),
        ((409, "not_cancellable"), &json!("reserved"))
    );
    // Of two parcels the last one is reduced first, and then gone.
    let (client, id) = placed(&shop, &[("SPLIT-CUP", 4)], "test", "confirmed").await;
    let path = format!("/v1/orders/{id}/lines/SPLIT-CUP/cancel");
    let parcels = async |quantity: i64| -> (Vec<i64>, Value) {
        let order = client.post(&path, &json!({ "quantity": quantity })).await.expect(200);
        let parcels = order["fulfilment"]["parcels"].as_array().unwrap();
        let pieces = parcels.iter().map(|parcel| parcel["lines"][0]["quantity"].as_i64().unwrap());
        (pieces.collect(), parcels[0]["id"].clone())
    };
    let (pieces, first) = parcels(1).await;
    assert_eq!(pieces, [1, 2]);
    assert_eq!(parcels(2).await, (vec![1], first.clone()));
    assert_ne!(first, json!(id));
    let event = json!({
        "event_id": "1", "order_id": id, "parcel_id": first, "status": "shipped", "carrier": "SF", "tracking_number": "1",
    });
    let shipped = send_webhook(&shop.anonymous, SHIPMENTS, &event).await.expect(200);
    assert_eq!(shipped["status"], "shipped");

    let (client, id) = placed(&shop, &[("SPLIT-CUP", 4)], "test", "confirmed").await;
    let order = client.get(&format!("/v1/orders/{id}")).await.expect(200);
    let event = json!({
        "event_id": "2", "order_id": id, "parcel_id": order["fulfilment"]["parcels"][0]["id"], "status": "shipped",
        "carrier": "SF", "tracking_number": "1",
    });
    send_webhook(&shop.anonymous, SHIPMENTS, &event).await.expect(200);
    let refused = client
        .post(&format!("/v1/orders/{id}/lines/SPLIT-CUP/cancel"), &json!({ "quantity": 1 }))
        .await;
    assert_eq!(refused.problem(), (409, "not_cancellable"));
    shop.close().await;
}

#[tokio::test]
async fn the_provider_refunds_lines_and_then_the_rest() {
    let mut shop = Shop::open(Deadlines::NONE).await;
    shop.sell(&[("PEN", 1_000)]).await;
    let provider = Receiver::answering(obliging).await;
    shop.restart_with_payment_provider(&provider.url("")).await;
    let (client, id) = placed(&shop, &[("PEN", 3)], "manual", "reserved").await;
    let token = json!({ "token": "tok_1" });
    client.post(&format!("/v1/orders/{id}/authorisation"), &token).await.expect(200);
    let path = format!("/v1/orders/{id}/lines/PEN/cancel");
    let piece = json!({ "quantity": 1 });
    // At once, and with one key.
    let requests =
        (0..3).map(|_| client.send(reqwest::Method::POST, &path, Some(&piece), Some("one-key")));
    for answer in join_all(requests).await {
        answer.expect(200);
    }
    client.post(&format!("/v1/orders/{id}/cancel"), &json!({})).await.expect(200);
    wait_for("both refunds are made", LONGEST_WAIT, async || {
        let done =
            "select count(*) from provider_request where operation = 'refund' and state = 'done'";
        let found = shop.count(done).await;
        if found == 2 { Ok(()) } else { Err(format!("{found} refunds")) }
    })
    .await
    .unwrap();
    assert_eq!(balance(&client, &id).await, 0);
    let received = provider.received();
    let refunds = received.iter().filter(|request| request.path == "/refunds");
    let mut amounts: Vec<i64> =
        refunds.map(|request| request.json()["amount"]["amount"].as_i64().unwrap()).collect();
    amounts.sort_unstable();
    assert_eq!(amounts, [1_000, 2_000]);
    let money = client.get(&format!("/v1/orders/{id}/money")).await.expect(200);
    let entries: Vec<i64> = money["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["amount"].as_i64().unwrap())
        .collect();
    assert_eq!((entries.len(), entries.iter().sum::<i64>()), (3, 0));
    shop.close().await;
}
