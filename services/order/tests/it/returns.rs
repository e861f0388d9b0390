//! Returns of shipped orders: announced, received or refused, and paid back.

use futures::future::join_all;
use runtime::auth::Scope;
use serde_json::{Value, json};
use service_testkit::LONGEST_WAIT;
use testkit::wait_for;
use vocabulary::{OrderId, ReturnId};

use crate::{
    payment_provider::obliging,
    shop::{Answer, Client, Deadlines, Shop, order_request},
    webhook_receiver::{Received, Receiver, Reply},
    webhooks::{SHIPMENTS, send_webhook},
};

fn cny(amount: i64) -> Value {
    json!({ "amount": amount, "currency": "CNY" })
}

fn announcement(lines: &[(&str, i64)]) -> Value {
    let line = |(sku, quantity): &(&str, i64)| json!({ "sku": sku, "quantity": quantity, "reason": "does_not_fit" });
    json!({ "lines": lines.iter().map(line).collect::<Vec<_>>() })
}

/// A line of a receipt.
fn received(sku: &str, restocked: i64, written_off: i64) -> Value {
    json!({ "lines": [{ "sku": sku, "restocked": restocked, "written_off": written_off }] })
}

/// A shop whose orders cost a discount, shipping and tax that cannot be divided.
async fn open_shop() -> Shop {
    let shop = Shop::open(Deadlines::NONE).await;
    shop.sell(&[("PEN", 1_000), ("INK", 333), ("SPLIT-CUP", 100)]).await;
    let admin = shop.admin();
    for (path, rule) in [
        ("/v1/promotions", json!({ "name": "Sale", "basis_points_off": 777 })),
        ("/v1/shipping-rates", json!({ "name": "Parcel", "price": cny(799) })),
        (
            "/v1/tax-rates",
            json!({ "name": "VAT", "basis_points": 1_300, "included": false, "taxes_shipping": true }),
        ),
    ] {
        assert_eq!(admin.post(path, &rule).await.status, 201);
    }
    shop
}

async fn report(shop: &Shop, order: &str, status: &str) {
    let event = json!({
        "event_id": format!("{order} {status}"), "order_id": order, "status": status, "carrier": "SF", "tracking_number": "SF1",
    });
    send_webhook(&shop.anonymous, SHIPMENTS, &event).await.expect(200);
}

/// Places a paid order and has it delivered.
async fn delivered(shop: &Shop, lines: &[(&str, i64)]) -> (Client, String) {
    let (me, client) = shop.customer();
    let placed = client.post("/v1/orders", &order_request(me, lines, "test")).await.expect(202);
    let id = placed["id"].as_str().unwrap().to_owned();
    client.wait(&id, "confirmed").await;
    report(shop, &id, "shipped").await;
    report(shop, &id, "delivered").await;
    (client, id)
}

async fn announce(client: &Client, order: &str, lines: &[(&str, i64)]) -> Answer {
    client.post(&format!("/v1/orders/{order}/returns"), &announcement(lines)).await
}

/// Announces a return, and returns its path.
async fn announced(client: &Client, order: &str, lines: &[(&str, i64)]) -> String {
    let answer = announce(client, order, lines).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.location.unwrap()
}

fn warehouse(shop: &Shop) -> Client {
    shop.client("warehouse", &[Scope::StockWrite])
}

async fn balance(client: &Client, order: &str) -> i64 {
    let ledger = client.get(&format!("/v1/orders/{order}/money")).await.expect(200);
    ledger["balance"].as_i64().unwrap()
}

/// What inventory received for returns: restocked and written off.
async fn pieces_in_stock(shop: &Shop, returns: i64) -> (i64, i64) {
    wait_for("inventory has the returns", LONGEST_WAIT, async || {
        let (count, restocked, written_off): (i64, i64, i64) = sqlx::query_as(
            "select count(*), coalesce(sum(restocked), 0)::bigint, coalesce(sum(written_off), 0)::bigint from received_return",
        )
        .fetch_one(shop.inventory.outbox().pool())
        .await
        .unwrap();
        if count == returns { Ok((restocked, written_off)) } else { Err(format!("{count} returns")) }
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn partial_returns_pay_back_the_total_with_the_last_piece() {
    let shop = open_shop().await;
    let (client, id) = delivered(&shop, &[("PEN", 3), ("INK", 1)]).await;
    let order = client.get(&format!("/v1/orders/{id}")).await.expect(200);
    let total = order["total"]["amount"].as_i64().unwrap();
    // 3,333 - 259 for the goods, 799 for the shipping, 503 for the tax.
    assert_eq!((total, balance(&client, &id).await), (4_376, 4_376));

    let first = announced(&client, &id, &[("PEN", 2)]).await;
    let read = client.get(&first).await.expect(200);
    assert_eq!(
        (&read["state"], &read["order_id"], &read["lines"]),
        (
            &json!("requested"),
            &json!(id),
            &json!([{ "sku": "PEN", "quantity": 2, "reason": "does_not_fit", "restocked": 0, "written_off": 0 }])
        )
    );
    let receipt = format!("{first}/receipt");
    let in_warehouse =
        json!({ "warehouse_id": ReturnId::new(), "lines": received("PEN", 1, 1)["lines"] });
    let answer = warehouse(&shop).post(&receipt, &in_warehouse).await.expect(200);
    assert_eq!(
        (&answer["state"], &answer["warehouse_id"], &answer["refund"]["state"]),
        (&json!("received"), &in_warehouse["warehouse_id"], &json!("refunded"))
    );
    let first_refund = answer["refund"]["amount"]["amount"].as_i64().unwrap();
    assert_eq!(balance(&client, &id).await, total - first_refund);
    let order = client.get(&format!("/v1/orders/{id}")).await.expect(200);
    assert_eq!(
        (&order["status"], &order["fulfilment"]["state"], &order["payment"]),
        (
            &json!("delivered"),
            &json!("partly_returned"),
            &json!({ "method": "test", "state": "approved", "refunded": cny(first_refund) })
        )
    );
    let returned: Vec<&Value> =
        order["lines"].as_array().unwrap().iter().map(|line| &line["returned"]).collect();
    assert_eq!(returned, [&Value::Null, &json!(2)]);

    // Refused pieces may be announced again, and what is missing, too.
    let second = announced(&client, &id, &[("PEN", 1), ("INK", 1)]).await;
    let refusal = json!({ "reason": "not_received" });
    let refused = warehouse(&shop).post(&format!("{second}/refusal"), &refusal).await.expect(200);
    assert_eq!(
        (&refused["state"], &refused["refusal"]),
        (&json!("refused"), &json!("not_received"))
    );
    let third = announced(&client, &id, &[("PEN", 1), ("INK", 1)]).await;
    let answer =
        shop.admin().post(&format!("{third}/receipt"), &received("INK", 1, 0)).await.expect(200);
    let third_refund = answer["refund"]["amount"]["amount"].as_i64().unwrap();
    let last = announced(&client, &id, &[("PEN", 1)]).await;
    let answer =
        warehouse(&shop).post(&format!("{last}/receipt"), &received("PEN", 0, 1)).await.expect(200);
    let last_refund = answer["refund"]["amount"]["amount"].as_i64().unwrap();
    assert_eq!(first_refund + third_refund + last_refund, total);
    assert_eq!(balance(&client, &id).await, 0);
    let order = client.get(&format!("/v1/orders/{id}?wait_for=returned")).await.expect(200);
    assert_eq!(
        (&order["status"], &order["fulfilment"]["state"], &order["payment"]["refunded"]),
        (&json!("returned"), &json!("returned"), &cny(total))
    );
    assert_eq!(announce(&client, &id, &[("PEN", 1)]).await.problem(), (409, "too_many_returned"));
    assert_eq!(pieces_in_stock(&shop, 3).await, (2, 2));

    let list = client.get(&format!("/v1/orders/{id}/returns")).await.expect(200);
    let states: Vec<&Value> =
        list["items"].as_array().unwrap().iter().map(|item| &item["state"]).collect();
    assert_eq!(states, ["received", "refused", "received", "received"]);
    let events = client.timeline(&id).await;
    let count = |event: &str| events.iter().filter(|found| *found == event).count();
    assert_eq!(count("order return.requested"), 4);
    assert_eq!(count("order order.return_received.v1"), 3);
    assert_eq!(count("order return.refused"), 1);
    assert_eq!(count("order payment.refunded"), 3);
    let found = client.get("/v1/orders?status=returned").await.expect(200);
    assert_eq!(found["items"][0]["id"], json!(id));
    shop.close().await;
}

#[tokio::test]
async fn bad_returns_are_refused() {
    let shop = open_shop().await;
    let (client, id) = delivered(&shop, &[("PEN", 3)]).await;
    let path = format!("/v1/orders/{id}/returns");
    for (body, fields) in [
        (json!({}), vec!["lines"]),
        (json!({ "lines": [] }), vec!["lines"]),
        (json!({ "lines": [{}] }), vec!["lines[0].quantity", "lines[0].reason", "lines[0].sku"]),
        (
            json!({ "lines": [{ "sku": "PEN", "quantity": 0, "reason": "ugly" }] }),
            vec!["lines[0].quantity", "lines[0].reason"],
        ),
        (announcement(&[("PEN", 1), ("PEN", 1)]), vec!["lines[1].sku"]),
    ] {
        let answer = client.post(&path, &body).await;
        assert_eq!((answer.problem().0, answer.fields()), (422, fields), "{}", answer.body);
    }
    for (lines, possible) in [(vec![("PEN", 4)], 3), (vec![("PEN", 1), ("INK", 1)], 0)] {
        let refused = announce(&client, &id, &lines).await;
        assert_eq!(refused.problem(), (409, "too_many_returned"));
        assert_eq!(refused.body["lines"][0]["possible"], possible, "{}", refused.body);
    }
    let (_, stranger) = shop.customer();
    assert_eq!(announce(&stranger, &id, &[("PEN", 1)]).await.problem(), (403, "not_yours"));
    assert_eq!(announce(&shop.anonymous, &id, &[("PEN", 1)]).await.problem().0, 401);
    let unknown = OrderId::new().to_string();
    assert_eq!(announce(&client, &unknown, &[("PEN", 1)]).await.problem(), (403, "not_yours"));

    let first = announced(&client, &id, &[("PEN", 2)]).await;
    assert_eq!(announce(&client, &id, &[("PEN", 2)]).await.problem(), (409, "too_many_returned"));
    for read in [&*path, &*first] {
        assert_eq!(stranger.get(read).await.problem(), (403, "not_yours"));
        assert_eq!(shop.anonymous.get(read).await.problem().0, 401);
    }
    warehouse(&shop).get(&first).await.expect(200);
    let no_return = format!("/v1/returns/{}", ReturnId::new());
    assert_eq!(client.get(&no_return).await.problem(), (403, "not_yours"));

    let (receipt, refusal) = (format!("{first}/receipt"), format!("{first}/refusal"));
    let used = json!({ "reason": "used" });
    for (path, body) in [(&receipt, received("PEN", 2, 0)), (&refusal, used.clone())] {
        assert_eq!(client.post(path, &body).await.problem(), (403, "insufficient_scope"));
        assert_eq!(shop.anonymous.post(path, &body).await.problem().0, 401);
    }
    let workers = warehouse(&shop);
    for body in [json!({ "lines": [] }), received("PEN", 0, 0), received("PEN", -1, 0)] {
        assert_eq!(workers.post(&receipt, &body).await.status, 422, "{body}");
    }
    assert_eq!(workers.post(&refusal, &json!({ "reason": "ugly" })).await.fields(), ["reason"]);
    for body in [received("PEN", 2, 1), received("INK", 1, 0)] {
        assert_eq!(workers.post(&receipt, &body).await.problem(), (409, "too_many_returned"));
    }
    let nowhere = format!("{no_return}/receipt");
    assert_eq!(workers.post(&nowhere, &received("PEN", 1, 0)).await.problem(), (404, "not_found"));

    workers.post(&receipt, &received("PEN", 2, 0)).await.expect(200);
    for (path, body) in [(&receipt, received("PEN", 2, 0)), (&refusal, used)] {
        assert_eq!(workers.post(path, &body).await.problem(), (409, "return_closed"));
    }
    assert_eq!(pieces_in_stock(&shop, 1).await, (2, 0));
    shop.close().await;
}

#[tokio::test]
async fn only_shipped_pieces_come_back_and_in_time() {
    let shop = open_shop().await;
    let (me, client) = shop.customer();
    let order = order_request(me, &[("SPLIT-CUP", 3)], "test");
    let placed = client.post("/v1/orders", &order).await.expect(202);
    let id = placed["id"].as_str().unwrap().to_owned();
    let confirmed = client.wait(&id, "confirmed").await;
    let early = announce(&client, &id, &[("SPLIT-CUP", 1)]).await;
    assert_eq!(
        (early.problem(), &early.body["order_status"]),
        ((409, "not_returnable"), &json!("confirmed"))
    );
    // One piece is in the first parcel.
    let event = json!({
        "event_id": "1", "order_id": id, "parcel_id": confirmed["fulfilment"]["parcels"][0]["id"], "status": "shipped",
        "carrier": "SF", "tracking_number": "1",
    });
    send_webhook(&shop.anonymous, SHIPMENTS, &event).await.expect(200);
    let excess = announce(&client, &id, &[("SPLIT-CUP", 2)]).await;
    assert_eq!(
        (excess.problem(), &excess.body["lines"][0]["possible"]),
        ((409, "too_many_returned"), &json!(1))
    );
    let first = announced(&client, &id, &[("SPLIT-CUP", 1)]).await;
    warehouse(&shop)
        .post(&format!("{first}/receipt"), &received("SPLIT-CUP", 1, 0))
        .await
        .expect(200);
    let order = client.get(&format!("/v1/orders/{id}")).await.expect(200);
    assert_eq!(
        (&order["status"], &order["fulfilment"]["state"]),
        (&json!("confirmed"), &json!("partly_shipped"))
    );
    report(&shop, &id, "shipped").await;
    report(&shop, &id, "delivered").await;
    let order = client.get(&format!("/v1/orders/{id}")).await.expect(200);
    assert_eq!(order["fulfilment"]["state"], "partly_returned");

    shop.run("update shipment set delivered_at = now() - interval '31 days'").await;
    assert_eq!(
        announce(&client, &id, &[("SPLIT-CUP", 1)]).await.problem(),
        (409, "return_window_closed")
    );
    // The shop may accept it all the same.
    announced(&shop.admin(), &id, &[("SPLIT-CUP", 2)]).await;
    shop.close().await;
}

#[tokio::test]
async fn parallel_requests_return_and_refund_a_piece_once() {
    let shop = open_shop().await;
    let (client, id) = delivered(&shop, &[("PEN", 2)]).await;
    let announcements = (0..6).map(|_| announce(&client, &id, &[("PEN", 1)]));
    let answers = join_all(announcements).await;
    let created: Vec<String> =
        answers.iter().filter_map(|answer| answer.location.clone()).collect();
    assert_eq!(created.len(), 2);
    let refused = answers.iter().filter(|answer| answer.location.is_none());
    for answer in refused {
        assert_eq!(answer.problem(), (409, "too_many_returned"));
    }
    let workers = warehouse(&shop);
    let (receipt, refusal) = (format!("{}/receipt", created[0]), format!("{}/refusal", created[0]));
    let (body, used) = (received("PEN", 1, 0), json!({ "reason": "used" }));
    let receipts = (0..4).map(|_| workers.post(&receipt, &body));
    let (receipts, refused) = tokio::join!(join_all(receipts), workers.post(&refusal, &used));
    let done = receipts.iter().chain([&refused]).filter(|answer| answer.status == 200).count();
    assert_eq!(done, 1);
    let receipt = format!("{}/receipt", created[1]);
    let key = Some("the-same-key");
    let post = || workers.send(reqwest::Method::POST, &receipt, Some(&body), key);
    let repeated = join_all((0..4).map(|_| post())).await;
    for answer in &repeated {
        assert_eq!((answer.status.as_u16(), &answer.body), (200, &repeated[0].body));
    }
    let post = || {
        let path = format!("/v1/orders/{id}/returns");
        let (client, key) = (client.clone(), Some("another-key"));
        async move {
            client.send(reqwest::Method::POST, &path, Some(&announcement(&[("PEN", 1)])), key).await
        }
    };
    let repeated = join_all((0..3).map(|_| post())).await;
    assert!(repeated.iter().all(|answer| answer.location == repeated[0].location));
    let list = client.get(&format!("/v1/orders/{id}/returns")).await.expect(200);
    let open: i64 = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|item| item["state"] != "refused")
        .map(|item| item["lines"][0]["quantity"].as_i64().unwrap())
        .sum();
    assert!(open <= 2, "{list}");
    let received =
        list["items"].as_array().unwrap().iter().filter(|item| item["state"] == "received");
    pieces_in_stock(&shop, received.count().try_into().unwrap()).await;
    shop.close().await;
}

/// Pays an order at the provider and has it shipped.
async fn shipped_and_paid(shop: &Shop, lines: &[(&str, i64)]) -> (Client, String) {
    let (me, client) = shop.customer();
    let placed = client.post("/v1/orders", &order_request(me, lines, "manual")).await.expect(202);
    let id = placed["id"].as_str().unwrap().to_owned();
    client.wait(&id, "reserved").await;
    let token = json!({ "token": "tok_1" });
    client.post(&format!("/v1/orders/{id}/authorisation"), &token).await.expect(200);
    report(shop, &id, "shipped").await;
    (client, id)
}

#[tokio::test]
async fn the_provider_refunds_each_return_once_after_the_capture() {
    let mut shop = open_shop().await;
    let provider = Receiver::answering(|request| match &*request.path {
        "/captures" => Reply::Json(202, json!({ "status": "pending" })),
        _ => obliging(request),
    })
    .await;
    shop.restart_with_payment_provider(&provider.url("")).await;
    let (client, id) = shipped_and_paid(&shop, &[("PEN", 3)]).await;
    let total = balance(&client, &id).await;
    let mut amounts = Vec::new();
    for pieces in [1, 2] {
        let path = announced(&client, &id, &[("PEN", pieces)]).await;
        let answer = warehouse(&shop)
            .post(&format!("{path}/receipt"), &received("PEN", pieces, 0))
            .await
            .expect(200);
        assert_eq!(answer["refund"]["state"], "pending");
        amounts.push((answer["id"].clone(), answer["refund"]["amount"].clone()));
    }
    let order = client.get(&format!("/v1/orders/{id}")).await.expect(200);
    assert_eq!(
        (&order["status"], &order["payment"]["refunded"]),
        (&json!("returned"), &Value::Null)
    );
    wait_for("the capture is pending", LONGEST_WAIT, async || {
        let asked =
            "select count(*) from provider_request where operation = 'capture' and attempts > 0";
        if shop.count(asked).await == 1 { Ok(()) } else { Err("it is not") }
    })
    .await
    .unwrap();
    let refunds = || -> Vec<Value> {
        let received = provider.received();
        received.iter().filter(|request| request.path == "/refunds").map(Received::json).collect()
    };
    assert_eq!((refunds().len(), balance(&client, &id).await), (0, total));

    // Each refund is answered wrongly once, and the second answer of the first one comes late: another process has asked meanwhile.
    let mut failures = 2;
    provider.answer(move |request| {
        if request.path == "/refunds" && failures > 0 {
            failures -= 1;
            return Reply::Status(500);
        }
        obliging(request)
    });
    shop.run("update provider_request set next_attempt_at = now()").await;
    wait_for("both refunds are asked for", LONGEST_WAIT, async || {
        shop.run("update provider_request set next_attempt_at = now(), claimed_until = now() where state = 'pending'").await;
        let done = "select count(*) from provider_request where operation = 'refund' and state = 'done'";
        let found = shop.count(done).await;
        if found == 2 { Ok(()) } else { Err(format!("{found} refunds")) }
    })
    .await
    .unwrap();
    assert_eq!(balance(&client, &id).await, 0);
    let ledger = client.get(&format!("/v1/orders/{id}/money")).await.expect(200);
    let entries = ledger["items"].as_array().unwrap();
    assert_eq!(entries.len(), 3, "{ledger}");
    for (refund, amount) in &amounts {
        let entry = entries.iter().find(|entry| entry["refund_id"] == *refund).unwrap();
        assert_eq!(entry["amount"].as_i64().unwrap(), -amount["amount"].as_i64().unwrap());
    }
    // One idempotency key and one body for each return.
    let received = provider.received();
    let asked = received.iter().filter(|request| request.path == "/refunds");
    for request in asked {
        let body = request.json();
        let (refund, amount) =
            amounts.iter().find(|(refund, _)| body["refund_id"] == *refund).unwrap();
        assert_eq!(&body["amount"], amount);
        let key = request.headers["idempotency-key"].to_str().unwrap();
        assert_eq!(key, format!("refund-{}", refund.as_str().unwrap()));
    }
    let events = client.timeline(&id).await;
    let count = |event: &str| events.iter().filter(|found| *found == event).count();
    assert_eq!((count("order payment.refund_requested"), count("order payment.refunded")), (2, 2));
    shop.close().await;
}

#[tokio::test]
async fn a_refused_refund_of_a_return_waits_for_an_operator() {
    let mut shop = open_shop().await;
    let provider = Receiver::answering(|request| match &*request.path {
        "/refunds" => Reply::Json(422, json!({ "status": "refused", "reason": "closed" })),
        _ => obliging(request),
    })
    .await;
    shop.restart_with_payment_provider(&provider.url("")).await;
    let (client, id) = shipped_and_paid(&shop, &[("PEN", 2)]).await;
    let path = announced(&client, &id, &[("PEN", 1)]).await;
    let receipt = format!("{path}/receipt");
    let answer = warehouse(&shop).post(&receipt, &received("PEN", 1, 0)).await.expect(200);
    let admin = shop.admin();
    let failed = wait_for("the refund has failed", LONGEST_WAIT, async || {
        let failed = admin.get("/v1/payment-requests?state=failed").await.expect(200);
        if failed["items"].as_array().unwrap().is_empty() { Err("not yet") } else { Ok(failed) }
    })
    .await
    .unwrap();
    let request = &failed["items"][0];
    assert_eq!(
        (&request["id"], &request["refund_id"], &request["amount"]),
        (&answer["id"], &answer["id"], &answer["refund"]["amount"])
    );
    provider.answer(obliging);
    let retry = format!("/v1/payment-requests/{}/refund/retry", request["id"].as_str().unwrap());
    admin.post(&retry, &Value::Null).await.expect(202);
    client.timeline_with(&id, "order payment.refunded").await;
    let refund = client.get(&path).await.expect(200)["refund"].clone();
    assert_eq!((&refund["state"], refund["refunded_at"].is_string()), (&json!("refunded"), true));
    assert_eq!(admin.post(&retry, &Value::Null).await.problem(), (404, "not_found"));
    shop.close().await;
}

#[tokio::test]
async fn a_warehouse_lists_announced_returns_in_pages() {
    let shop = open_shop().await;
    let (client, id) = delivered(&shop, &[("PEN", 3), ("INK", 1)]).await;
    let (other, second) = delivered(&shop, &[("PEN", 1)]).await;
    let paths = [
        announced(&client, &id, &[("PEN", 1)]).await,
        announced(&client, &id, &[("INK", 1)]).await,
        announced(&other, &second, &[("PEN", 1)]).await,
    ];
    let workers = warehouse(&shop);
    let page = async |query: &str| workers.get(&format!("/v1/returns?{query}")).await.expect(200);
    let paths_of = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap().iter();
        items.map(|item| format!("/v1/returns/{}", item["id"].as_str().unwrap())).collect()
    };
    assert_eq!(paths_of(&page("").await), paths);
    assert_eq!(paths_of(&page("sku=INK").await), paths[1..2]);
    let read = other.get(&format!("/v1/orders/{second}")).await.expect(200);
    let number = read["number"].as_str().unwrap();
    let of_order = page(&format!("order_number={number}")).await;
    assert_eq!(paths_of(&of_order), paths[2..]);
    assert_eq!(of_order["items"][0]["order_number"], json!(number));

    let first = page("limit=2").await;
    let rest = page(&format!("limit=2&cursor={}", first["next_cursor"].as_str().unwrap())).await;
    assert_eq!((paths_of(&first), paths_of(&rest)), (paths[..2].to_vec(), paths[2..].to_vec()));
    assert_eq!(rest.get("next_cursor"), None);

    workers.post(&format!("{}/receipt", paths[0]), &received("PEN", 1, 0)).await.expect(200);
    let refusal = json!({ "reason": "not_received" });
    workers.post(&format!("{}/refusal", paths[1]), &refusal).await.expect(200);
    for (query, expected) in [
        ("", &paths[2..]),
        ("state=requested", &paths[2..]),
        ("state=received", &paths[..1]),
        ("state=refused", &paths[1..2]),
        ("state=received&sku=INK", &[]),
    ] {
        assert_eq!(paths_of(&page(query).await), expected, "{query}");
    }
    shop.admin().get("/v1/returns").await.expect(200);
    assert_eq!(client.get("/v1/returns").await.problem(), (403, "insufficient_scope"));
    assert_eq!(shop.anonymous.get("/v1/returns").await.problem().0, 401);
    for bad in ["state=lost", "cursor=x", "order_number=1", "limit=0", "sku="] {
        let answer = workers.get(&format!("/v1/returns?{bad}")).await;
        assert_eq!(answer.problem(), (400, "invalid_query"), "{bad}");
    }
    shop.close().await;
}

#[tokio::test]
async fn webhooks_report_announced_and_received_returns() {
    let shop = open_shop().await;
    let receiver = Receiver::start().await;
    let endpoint = json!({
        "url": receiver.url("/hooks"), "event_types": ["return.announced", "return.received"],
    });
    shop.admin().post("/v1/webhook-endpoints", &endpoint).await.expect(201);
    let (client, id) = delivered(&shop, &[("PEN", 3)]).await;
    let customer = client.get(&format!("/v1/orders/{id}")).await.expect(200)["customer_id"].clone();
    let path = announced(&client, &id, &[("PEN", 3)]).await;
    let in_warehouse =
        json!({ "warehouse_id": ReturnId::new(), "lines": received("PEN", 2, 1)["lines"] });
    warehouse(&shop).post(&format!("{path}/receipt"), &in_warehouse).await.expect(200);
    let messages = wait_for("both messages arrive", LONGEST_WAIT, async || {
        let messages: Vec<Value> = receiver.received().iter().map(Received::json).collect();
        if messages.len() == 2 { Ok(messages) } else { Err(format!("{messages:?}")) }
    })
    .await
    .unwrap();
    let return_id = path.strip_prefix("/v1/returns/").unwrap();
    let types: Vec<&Value> = messages.iter().map(|message| &message["type"]).collect();
    assert_eq!(types, ["return.announced", "return.received"]);
    assert_eq!(
        messages[0]["data"],
        json!({
            "order_id": id, "customer_id": customer, "return_id": return_id,
            "lines": [{ "sku": "PEN", "quantity": 3, "reason": "does_not_fit" }],
        })
    );
    assert_eq!(
        messages[1]["data"],
        json!({
            "order_id": id, "customer_id": customer, "return_id": return_id,
            "warehouse_id": in_warehouse["warehouse_id"],
            "restocked": [{ "sku": "PEN", "quantity": 2 }],
            "written_off": [{ "sku": "PEN", "quantity": 1 }],
        })
    );
    shop.close().await;
}

#[tokio::test]
async fn a_file_of_orders_has_cancelled_and_returned_pieces() {
    let shop = open_shop().await;
    let (me, client) = shop.customer();
    let order = order_request(me, &[("PEN", 4)], "test");
    let placed = client.post("/v1/orders", &order).await.expect(202);
    let id = placed["id"].as_str().unwrap();
    client.wait(id, "confirmed").await;
    let cancel = format!("/v1/orders/{id}/lines/PEN/cancel");
    client.post(&cancel, &json!({ "quantity": 1 })).await.expect(200);
    report(&shop, id, "shipped").await;
    let path = announced(&client, id, &[("PEN", 2)]).await;
    warehouse(&shop).post(&format!("{path}/receipt"), &received("PEN", 2, 0)).await.expect(200);
    let (_, _, file) = client.get_text("/v1/orders?format=csv", "*/*").await;
    let row: Vec<&str> = file.lines().nth(1).unwrap().split(',').collect();
    assert_eq!((row[8], &row[14..]), ("4", &["1", "2"][..]));
    pieces_in_stock(&shop, 1).await;
    shop.close().await;
}
