//! Webhooks that the service sends: signatures, order, retries, pauses, and endpoints that misbehave.

use std::time::{Duration, Instant};

use contracts::{
    catalog::{ProductDeletedV1, ProductStatus},
    inventory::StockAvailabilityChangedV1,
};
use reqwest::Method;
use runtime::auth::Scope;
use serde_json::{Value, json};
use service_testkit::LONGEST_WAIT;
use testkit::wait_for;
use tokio::net::TcpListener;
use vocabulary::{ChangeId, CustomerId, Version, WebhookEndpointId, WebhookMessageId};

use crate::{
    customer_erasures::start_behavior_analytics,
    shop::{Client, Deadlines, Shop, changed, order_request},
    webhook_receiver::{Received, Receiver, Reply},
};

const ENDPOINTS: &str = "/v1/webhook-endpoints";
const ORDER_TYPES: [&str; 5] =
    ["order.paid", "order.shipped", "order.delivered", "order.cancelled", "order.refunded"];

/// Longer than it takes to send what is due, shorter than the first pause between attempts.
const MOMENT: Duration = Duration::from_millis(1_500);

/// An endpoint that was created, and its secret.
struct Endpoint {
    path: String,
    secret: String,
}

impl Endpoint {
    async fn create(admin: &Client, url: &str, event_types: &[&str]) -> Self {
        let body = json!({ "url": url, "event_types": event_types });
        let created = admin.post(ENDPOINTS, &body).await.expect(201);
        let text = |name: &str| created[name].as_str().unwrap().to_owned();
        Self { path: format!("{ENDPOINTS}/{}", text("id")), secret: text("secret") }
    }

    fn sub(&self, name: &str) -> String {
        format!("{}/{name}", self.path)
    }

    async fn read(&self, admin: &Client) -> Value {
        admin.get(&self.path).await.expect(200)
    }

    /// The deliveries, oldest first.
    async fn deliveries(&self, admin: &Client) -> Vec<Value> {
        let page = admin.get(&self.sub("deliveries?limit=100")).await.expect(200);
        let mut items = page["items"].as_array().unwrap().clone();
        items.reverse();
        items
    }

    /// Waits until the deliveries, oldest first, have these statuses.
    async fn wait_for_statuses(&self, admin: &Client, expected: &[&str]) -> Vec<Value> {
        wait_for("the deliveries have their statuses", LONGEST_WAIT, async || {
            let deliveries = self.deliveries(admin).await;
            let statuses: Vec<&str> =
                deliveries.iter().map(|item| item["status"].as_str().unwrap()).collect();
            if statuses == expected { Ok(deliveries) } else { Err(format!("{deliveries:?}")) }
        })
        .await
        .unwrap()
    }

    async fn wait_for_status(&self, admin: &Client, status: &str) -> Value {
        wait_for("the endpoint has its status", LONGEST_WAIT, async || {
            let endpoint = self.read(admin).await;
            if endpoint["status"] == status { Ok(endpoint) } else { Err(endpoint) }
        })
        .await
        .unwrap()
    }
}

/// Places and pays an order, and waits for `status`.
async fn buy(customer: CustomerId, client: &Client, status: &str) -> String {
    let order = client.place(customer, "KB-RED", "test").await;
    client.wait(&order, status).await;
    order
}

/// Makes everything due that waits for its next attempt.
async fn skip_pauses(shop: &Shop) {
    shop.run("update webhook_delivery set next_attempt_at = now() where status = 'pending'").await;
}

fn types_of(received: &[Received], order: &str) -> Vec<String> {
    let of_order = received.iter().filter(|request| request.order() == order);
    of_order.map(Received::event_type).collect()
}

#[tokio::test]
async fn facts_of_orders_arrive_in_order_and_signed() {
    let shop = Shop::open(Deadlines {
        ship: Duration::from_secs(1),
        deliver: Duration::from_millis(50),
        ..Deadlines::NONE
    })
    .await;
    shop.sell(&[("KB-RED", 12_900)]).await;
    let (me, client) = shop.customer();
    let (admin, receiver) = (shop.admin(), Receiver::start().await);
    // Without an endpoint nothing is written.
    buy(me, &client, "confirmed").await;
    assert_eq!(shop.count("select count(*) from webhook_message").await, 0);
    let endpoint = Endpoint::create(&admin, &receiver.url("/hooks"), &ORDER_TYPES).await;
    let others = Endpoint::create(&admin, &receiver.url("/other"), &["order.refunded"]).await;

    let delivered = buy(me, &client, "delivered").await;
    let cancelled = buy(me, &client, "confirmed").await;
    client.post(&format!("/v1/orders/{cancelled}/cancel"), &json!({})).await.expect(200);
    let received = wait_for("both orders are complete", LONGEST_WAIT, async || {
        let mut received = receiver.received();
        received.retain(|request| request.path == "/hooks");
        let complete = |order, count| types_of(&received, order).len() == count;
        if complete(&delivered, 3) && complete(&cancelled, 3) {
            Ok(received)
        } else {
            Err(received.len())
        }
    })
    .await
    .unwrap();
    assert_eq!(types_of(&received, &delivered), ["order.paid", "order.shipped", "order.delivered"]);
    assert_eq!(
        types_of(&received, &cancelled),
        ["order.paid", "order.cancelled", "order.refunded"]
    );
    for request in &received {
        assert!(request.is_signed_with(&endpoint.secret), "{request:?}");
        assert!(!request.is_signed_with(&others.secret));
        assert_eq!(request.headers["content-type"], "application/json");
        let mut changed = request.clone();
        changed.body = [&request.body[..], b" "].concat().into();
        assert!(!changed.is_signed_with(&endpoint.secret));
    }
    let of = |order: &str, event_type: &str| {
        let mut found = received.iter();
        let found =
            found.find(|request| request.order() == order && request.event_type() == event_type);
        found.unwrap().json()
    };
    let paid = of(&delivered, "order.paid");
    let total = json!({ "amount": 12_900, "currency": "CNY" });
    assert_eq!((&paid["data"]["total"], &paid["data"]["customer_id"]), (&total, &json!(me)));
    let line = &paid["data"]["lines"][0];
    assert_eq!((&line["sku"], &line["quantity"]), (&json!("KB-RED"), &json!(1)));
    assert!(paid["timestamp"].as_str().unwrap().ends_with('Z'), "{paid}");
    let text = received.iter().map(|request| request.json().to_string()).collect::<String>();
    assert!(!text.contains("示例路") && !text.contains("林小满"), "no personal data");
    assert_eq!(
        of(&cancelled, "order.cancelled")["data"]["reason"]["code"],
        "cancelled_by_customer"
    );
    assert_eq!(of(&cancelled, "order.refunded")["data"]["amount"], total);

    // The other endpoint receives its type only, as the same message with another signature.
    let refunds = others.wait_for_statuses(&admin, &["delivered"]).await;
    let refund = receiver.received().into_iter().find(|request| request.path == "/other").unwrap();
    assert_eq!(refunds[0]["message_id"], refund.id());
    assert!(refund.is_signed_with(&others.secret));
    let known = received.iter().find(|request| request.event_type() == "order.refunded").unwrap();
    assert_eq!((known.id(), &known.body), (refund.id(), &refund.body));
    shop.close().await;
}

#[tokio::test]
async fn only_a_carrier_receives_parcels_with_the_address() {
    let shop = Shop::open(Deadlines { ship: Duration::from_secs(1), ..Deadlines::NONE }).await;
    shop.sell(&[("SPLIT-A", 100), ("KB-RED", 100)]).await;
    let (me, client) = shop.customer();
    let (admin, receiver) = (shop.admin(), Receiver::start().await);
    let parcel_types =
        ["order.paid", "order.parcel_shipped", "order.shipped", "order.parcel_delivered"];
    Endpoint::create(&admin, &receiver.url("/shop"), &parcel_types).await;
    let carrier =
        Endpoint::create(&admin, &receiver.url("/carrier"), &["shipment.requested"]).await;
    let body = order_request(me, &[("SPLIT-A", 3)], "test");
    let placed = client.post("/v1/orders", &body).await.expect(202);
    let id = placed["id"].as_str().unwrap().to_owned();
    let order = client.wait(&id, "shipped").await;
    let whole = buy(me, &client, "shipped").await;
    let received = wait_for("all messages have arrived", LONGEST_WAIT, async || {
        let received = receiver.received();
        if received.len() == 9 { Ok(received) } else { Err(received.len()) }
    })
    .await
    .unwrap();
    let to = |path: &str, order: &str| {
        let mut found = received.clone();
        found.retain(|request| request.path == path && request.order() == order);
        found
    };
    let types = |order: &str| -> Vec<String> {
        to("/shop", order).iter().map(Received::event_type).collect()
    };
    assert_eq!(
        types(&id),
        ["order.paid", "order.parcel_shipped", "order.parcel_shipped", "order.shipped"]
    );
    assert_eq!(types(&whole), ["order.paid", "order.shipped"]);
    let requests: Vec<Value> = to("/carrier", &id).iter().map(Received::json).collect();
    let parcels = order["fulfilment"]["parcels"].as_array().unwrap();
    assert_eq!((requests.len(), parcels.len()), (2, 2));
    for (request, parcel) in requests.iter().zip(parcels) {
        let data = &request["data"];
        assert_eq!((&data["parcel_id"], &data["lines"]), (&parcel["id"], &parcel["lines"]));
        assert_eq!(data["warehouse_id"], parcel["warehouse_id"]);
        assert_eq!(
            (&data["address"]["name"], &data["address"]["city"]),
            (&json!("林小满"), &json!("上海市"))
        );
    }
    let one = to("/carrier", &whole);
    assert_eq!((one.len(), &one[0].json()["data"]["parcel_id"]), (1, &json!(whole)));
    for request in received.iter().filter(|request| request.path == "/shop") {
        let text = request.json().to_string();
        assert!(!text.contains("示例路") && !text.contains("林小满"), "{text}");
    }
    // Nor does the log of deliveries show it.
    let log = carrier.deliveries(&admin).await;
    assert_eq!(log.len(), 3);
    assert!(!json!(log).to_string().contains("林小满"));

    // Erasing the customer erases it in the messages, too.
    let (_behavior, _erased) = start_behavior_analytics(&shop).await;
    let with_address =
        "select count(*) from webhook_message where convert_from(body, 'UTF8') like '%林小满%'";
    assert_eq!(shop.count(with_address).await, 3);
    client.send(Method::DELETE, &format!("/v1/customers/{me}"), None, None).await.expect(202);
    wait_for("no message has the address", LONGEST_WAIT, async || {
        let left = shop.count(with_address).await;
        if left == 0 { Ok(()) } else { Err(left) }
    })
    .await
    .unwrap();
    shop.close().await;
}

#[tokio::test]
async fn after_a_rotation_both_secrets_verify() {
    let shop = Shop::open(Deadlines::NONE).await;
    let (admin, receiver) = (shop.admin(), Receiver::start().await);
    let endpoint = Endpoint::create(&admin, &receiver.url("/"), &["order.paid"]).await;
    let rotated = admin.post(&endpoint.sub("rotate-secret"), &json!({})).await.expect(200);
    let new = rotated["secret"].as_str().unwrap();
    assert_ne!(new, endpoint.secret);
    assert!(rotated["previous_secret_expires_at"].is_string(), "{rotated}");
    let tested = admin.post(&endpoint.sub("test"), &json!({})).await.expect(200);
    assert_eq!((&tested["delivered"], &tested["status_code"]), (&json!(true), &json!(204)));
    let request = receiver.wait_for(1).await.remove(0);
    assert_eq!(
        (request.event_type(), request.id()),
        ("webhook.test".into(), tested["message_id"].as_str().unwrap())
    );
    assert!(request.is_signed_with(new) && request.is_signed_with(&endpoint.secret));

    shop.run("update webhook_endpoint set previous_key_expires_at = now()").await;
    admin.post(&endpoint.sub("test"), &json!({})).await.expect(200);
    let request = receiver.wait_for(2).await.remove(1);
    assert!(request.is_signed_with(new) && !request.is_signed_with(&endpoint.secret));
    let log = endpoint.wait_for_statuses(&admin, &["delivered", "delivered"]).await;
    assert_eq!((&log[0]["event_type"], &log[0]["attempts"]), (&json!("webhook.test"), &json!(1)));
    shop.close().await;
}

#[tokio::test]
async fn later_messages_of_a_key_wait_for_the_first() {
    let instant = Duration::from_millis(20);
    let shop = Shop::open(Deadlines { ship: instant, deliver: instant, ..Deadlines::NONE }).await;
    shop.sell(&[("KB-RED", 100)]).await;
    let (me, client) = shop.customer();
    let (admin, receiver) = (shop.admin(), Receiver::start().await);
    // The first order that arrives is refused.
    let mut refused = None;
    receiver.answer(move |request| {
        let order = refused.get_or_insert_with(|| request.order());
        if *order == request.order() { Reply::Status(500) } else { Reply::Status(200) }
    });
    let endpoint = Endpoint::create(&admin, &receiver.url("/"), &ORDER_TYPES).await;
    let first = buy(me, &client, "delivered").await;
    receiver.wait_for(1).await;
    let second = buy(me, &client, "delivered").await;
    wait_for("the other key is delivered", LONGEST_WAIT, async || {
        let types = types_of(&receiver.received(), &second);
        if types.len() == 3 { Ok(()) } else { Err(format!("{types:?}")) }
    })
    .await
    .unwrap();
    skip_pauses(&shop).await;
    wait_for("the first key was tried twice", LONGEST_WAIT, async || {
        let types = types_of(&receiver.received(), &first);
        if types.len() >= 2 { Ok(()) } else { Err(format!("{types:?}")) }
    })
    .await
    .unwrap();
    tokio::time::sleep(MOMENT).await;
    assert_eq!(types_of(&receiver.received(), &first), ["order.paid"; 2]);
    receiver.answer(|_| Reply::Status(200));
    skip_pauses(&shop).await;
    endpoint.wait_for_statuses(&admin, &["delivered"; 6]).await;
    let received = receiver.received();
    assert_eq!(
        types_of(&received, &first),
        ["order.paid", "order.paid", "order.paid", "order.shipped", "order.delivered"]
    );
    assert_eq!(types_of(&received, &second), ["order.paid", "order.shipped", "order.delivered"]);
    let ids: Vec<&str> = received
        .iter()
        .filter(|request| request.order() == first && request.event_type() == "order.paid")
        .map(Received::id)
        .collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let log = endpoint.deliveries(&admin).await;
    let history = |index: usize| log[index]["history"].as_array().unwrap();
    let results: Vec<&Value> = history(0).iter().map(|attempt| &attempt["result"]).collect();
    assert_eq!(results, ["status", "status", "delivered"]);
    assert_eq!((&history(0)[0]["status_code"], &log[0]["attempts"]), (&json!(500), &json!(3)));
    shop.close().await;
}

#[tokio::test]
async fn a_message_that_is_given_up_lets_the_next_one_go() {
    let instant = Duration::from_millis(20);
    let shop = Shop::open(Deadlines { ship: instant, deliver: instant, ..Deadlines::NONE }).await;
    shop.sell(&[("KB-RED", 100)]).await;
    let (me, client) = shop.customer();
    let admin = shop.admin();
    let receiver = Receiver::answering(|request| {
        if request.event_type() == "order.paid" { Reply::Status(400) } else { Reply::Status(200) }
    })
    .await;
    let endpoint = Endpoint::create(&admin, &receiver.url("/"), &ORDER_TYPES).await;
    buy(me, &client, "delivered").await;
    receiver.wait_for(1).await;
    let waiting = endpoint.wait_for_statuses(&admin, &["pending"; 3]).await;
    assert!(
        waiting[0]["next_attempt_at"].is_string() && waiting[0]["attempts"].as_i64() <= Some(1)
    );
    // Nine attempts later.
    wait_for("the first attempt is recorded", LONGEST_WAIT, async || {
        let attempts = shop.count("select max(attempts)::bigint from webhook_delivery").await;
        if attempts == 1 { Ok(()) } else { Err(attempts) }
    })
    .await
    .unwrap();
    shop.run(
        "update webhook_delivery set attempts = 10, next_attempt_at = now() where attempts = 1",
    )
    .await;
    let log = endpoint.wait_for_statuses(&admin, &["failed", "delivered", "delivered"]).await;
    assert_eq!(log[0]["attempts"], 11);
    assert!(log[0]["finished_at"].is_string() && log[0]["next_attempt_at"].is_null());

    // The message can be sent again, with the same id and body.
    receiver.answer(|_| Reply::Status(200));
    let id = log[0]["message_id"].as_str().unwrap();
    let path = endpoint.sub(&format!("deliveries/{id}/redeliver"));
    admin.post(&path, &json!({})).await.expect(202);
    let log = endpoint.wait_for_statuses(&admin, &["delivered"; 3]).await;
    assert_eq!((&log[0]["attempts"], log[0]["history"].as_array().unwrap().len()), (&json!(1), 3));
    let received = receiver.received();
    let sent: Vec<&Received> = received.iter().filter(|request| request.id() == id).collect();
    assert_eq!(sent.len(), 3);
    assert!(sent.iter().all(|request| request.body == sent[0].body));
    shop.close().await;
}

#[tokio::test]
async fn slow_endless_and_redirecting_endpoints_are_cut_short() {
    let shop = Shop::open(Deadlines::NONE).await;
    let admin = shop.admin();
    let receiver = Receiver::start().await;
    let target = receiver.url("/target");
    receiver.answer(move |request| match request.path.as_str() {
        "/redirect" => Reply::Redirect(target.clone()),
        "/slow" => Reply::After(Duration::from_secs(4)),
        "/silent" => Reply::Never,
        "/long" => Reply::Megabytes(Some(100)),
        "/endless" => Reply::Megabytes(None),
        "/gone" => Reply::Status(410),
        _ => Reply::Status(200),
    });
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let test = async |url: String| {
        let endpoint = Endpoint::create(&admin, &url, &["order.paid"]).await;
        let began = Instant::now();
        let tested = admin.post(&endpoint.sub("test"), &json!({})).await.expect(200);
        // An attempt takes a second here, and a body another one.
        assert!(began.elapsed() < LONGEST_WAIT / 2, "{url}: {:?}", began.elapsed());
        let result = tested["result"].as_str().unwrap().to_owned();
        assert_eq!(tested["delivered"], json!(result == "delivered"), "{tested}");
        assert_eq!(tested["error"].is_string(), result != "delivered", "{tested}");
        (result, tested["status_code"].as_u64())
    };
    let at = |path: &str| test(receiver.url(path));
    let (redirect, slow, silent, long, endless, gone, no_server, no_tls) = tokio::join!(
        at("/redirect"),
        at("/slow"),
        at("/silent"),
        at("/long"),
        at("/endless"),
        at("/gone"),
        test(format!("http://{closed}/")),
        test(receiver.url("/").replace("http", "https")),
    );
    assert_eq!(redirect, ("redirect".into(), Some(302)));
    assert_eq!(slow, ("timeout".into(), None));
    assert_eq!(silent, ("timeout".into(), None));
    assert_eq!(long, ("delivered".into(), Some(200)));
    assert_eq!(endless, ("delivered".into(), Some(200)));
    assert_eq!(gone, ("gone".into(), Some(410)));
    assert_eq!(no_server, ("no_answer".into(), None));
    assert_eq!(no_tls, ("no_answer".into(), None));
    let paths: Vec<String> = receiver.received().into_iter().map(|request| request.path).collect();
    assert!(!paths.contains(&"/target".to_owned()), "{paths:?}");
    // What was sent fits into the buffers of the connections.
    assert!(receiver.sent_megabytes() < 40, "{}", receiver.sent_megabytes());
    shop.close().await;
}

#[tokio::test]
async fn a_silent_endpoint_delays_no_other() {
    const ORDERS: usize = 30;
    let mut shop = Shop::open(Deadlines::NONE).await;
    shop.sell(&[("KB-RED", 100)]).await;
    // No attempt ends while the test looks.
    let patient = shop.restart_with_webhook_timeout(Duration::from_secs(30)).await;
    let admin = shop.client_of(&patient, "admin", &[Scope::OrdersAdmin]);
    let (me, _) = shop.customer();
    let client = shop.client_of(&patient, &me.to_string(), &[Scope::OrdersWrite]);
    let (silent, good) = (Receiver::answering(|_| Reply::Never).await, Receiver::start().await);
    Endpoint::create(&admin, &silent.url("/"), &["order.paid"]).await;
    let endpoint = Endpoint::create(&admin, &good.url("/"), &["order.paid"]).await;
    for _ in 0..ORDERS {
        client.post("/v1/orders", &order_request(me, &[("KB-RED", 1)], "test")).await.expect(202);
    }
    endpoint.wait_for_statuses(&admin, &["delivered"; ORDERS]).await;
    // The silent one has eight slots, and all are taken.
    assert_eq!(silent.received().len(), 8);
    shop.close().await;
}

#[tokio::test]
async fn private_addresses_are_never_called() {
    let mut shop = Shop::open(Deadlines::NONE).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    // Both were created while the setting allowed them.
    let literal = format!("http://127.0.0.1:{port}/");
    let literal = Endpoint::create(&shop.admin(), &literal, &["order.paid"]).await;
    let named = format!("https://localhost:{port}/");
    let named = Endpoint::create(&shop.admin(), &named, &["order.paid"]).await;
    shop.sell(&[("KB-RED", 100)]).await;
    let strict = shop.restart_with_public_webhooks_only().await;
    let admin = shop.client_of(&strict, "admin", &[Scope::OrdersAdmin]);
    for host in [
        "127.0.0.1",
        "2130706433",
        "0x7f.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:a9fe:a9fe]",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "[fd00::1]",
        "[fe80::1]",
    ] {
        let body = json!({ "url": format!("https://{host}/"), "event_types": ["order.paid"] });
        let refused = admin.post(ENDPOINTS, &body).await;
        assert_eq!(
            (refused.problem(), refused.fields()),
            ((422, "validation_failed"), vec!["url"]),
            "{host}"
        );
        let patched = admin
            .send(Method::PATCH, &named.path, Some(&json!({ "url": body["url"] })), None)
            .await;
        assert_eq!(patched.problem(), (422, "validation_failed"), "{host}");
    }
    let plain = json!({ "url": "http://example.com/", "event_types": ["order.paid"] });
    assert_eq!(admin.post(ENDPOINTS, &plain).await.fields(), ["url"]);
    for endpoint in [&literal, &named] {
        let tested = admin.post(&endpoint.sub("test"), &json!({})).await.expect(200);
        assert_eq!(tested["result"], "address_not_allowed", "{tested}");
    }
    // The worker refuses them as well.
    let (me, _) = shop.customer();
    let client = shop.client_of(&strict, &me.to_string(), &[Scope::OrdersWrite, Scope::OrdersRead]);
    buy(me, &client, "confirmed").await;
    for endpoint in [&literal, &named] {
        wait_for("the attempt is recorded", LONGEST_WAIT, async || {
            let deliveries = endpoint.deliveries(&admin).await;
            let last = &deliveries[deliveries.len() - 1];
            let is_refused = last["event_type"] == "order.paid"
                && last["history"][0]["result"] == "address_not_allowed";
            if is_refused { Ok(()) } else { Err(last.clone()) }
        })
        .await
        .unwrap();
    }
    let accepted = tokio::time::timeout(Duration::from_millis(100), listener.accept()).await;
    assert!(accepted.is_err(), "a connection was opened");
    shop.close().await;
}

#[tokio::test]
async fn two_instances_send_each_message_once() {
    const ORDERS: usize = 60;
    let instant = Duration::from_millis(20);
    let mut shop =
        Shop::open(Deadlines { ship: instant, deliver: instant, ..Deadlines::NONE }).await;
    shop.start_instance().await;
    shop.sell(&[("KB-RED", 100)]).await;
    let (me, client) = shop.customer();
    let admin = shop.admin();
    let receiver = Receiver::answering(|_| Reply::After(Duration::from_millis(20))).await;
    let endpoint = Endpoint::create(&admin, &receiver.url("/"), &ORDER_TYPES).await;
    for _ in 0..ORDERS {
        client.post("/v1/orders", &order_request(me, &[("KB-RED", 1)], "test")).await.expect(202);
    }
    wait_for("all messages are delivered", LONGEST_WAIT, async || {
        let left = shop
            .count("select 180 - count(*) from webhook_delivery where status = 'delivered'")
            .await;
        if left == 0 { Ok(()) } else { Err(left) }
    })
    .await
    .unwrap();
    let received = receiver.received();
    assert_eq!(received.len(), 3 * ORDERS);
    let mut orders: Vec<String> = received.iter().map(Received::order).collect();
    orders.sort();
    orders.dedup();
    assert_eq!(orders.len(), ORDERS);
    for order in orders {
        let types = types_of(&received, &order);
        assert_eq!(types, ["order.paid", "order.shipped", "order.delivered"], "{order}");
    }
    assert_eq!(endpoint.read(&admin).await["failures"], 0);
    shop.close().await;
}

#[tokio::test]
async fn a_killed_sender_leads_to_a_second_delivery() {
    let mut shop = Shop::open(Deadlines::NONE).await;
    shop.sell(&[("KB-RED", 100)]).await;
    let (me, client) = shop.customer();
    let receiver = Receiver::answering(|_| Reply::Never).await;
    Endpoint::create(&shop.admin(), &receiver.url("/"), &["order.paid"]).await;
    buy(me, &client, "confirmed").await;
    // It has arrived, and the process dies before it knows.
    receiver.wait_for(1).await;
    shop.kill_instances().await;
    receiver.answer(|_| Reply::Status(200));
    shop.restart().await;
    tokio::time::sleep(MOMENT).await;
    // Until the claim expires no other process sends it.
    assert_eq!(receiver.received().len(), 1);
    shop.run("update webhook_delivery set claimed_until = now()").await;
    let received = receiver.wait_for(2).await;
    assert_eq!(received[0].id(), received[1].id());
    assert_eq!(received[0].body, received[1].body);
    wait_for("the second attempt is recorded", LONGEST_WAIT, async || {
        let done =
            shop.count("select count(*) from webhook_delivery where status = 'delivered'").await;
        if done == 1 { Ok(()) } else { Err(done) }
    })
    .await
    .unwrap();
    shop.close().await;
}

#[tokio::test]
async fn a_result_that_cannot_be_recorded_is_sent_again() {
    let shop = Shop::open(Deadlines::NONE).await;
    shop.sell(&[("KB-RED", 100)]).await;
    let (me, client) = shop.customer();
    let (admin, receiver) = (shop.admin(), Receiver::start().await);
    let endpoint = Endpoint::create(&admin, &receiver.url("/"), &["order.paid"]).await;
    shop.run(
        "create function refuse() returns trigger language plpgsql as
             $$ begin raise exception 'refused by the test'; end $$;
         create trigger refuse before update on webhook_delivery for each row
             when (new.status = 'delivered') execute function refuse();",
    )
    .await;
    buy(me, &client, "confirmed").await;
    receiver.wait_for(1).await;
    shop.run("drop trigger refuse on webhook_delivery").await;
    // Meanwhile the worker sends others.
    buy(me, &client, "confirmed").await;
    receiver.wait_for(2).await;
    shop.run("update webhook_delivery set claimed_until = now()").await;
    endpoint.wait_for_statuses(&admin, &["delivered"; 2]).await;
    let received = receiver.received();
    assert_eq!(received.len(), 3);
    assert_eq!(received[0].id(), received[2].id());
    shop.close().await;
}

#[tokio::test]
async fn a_dead_endpoint_is_paused_and_comes_back() {
    let shop = Shop::open(Deadlines::NONE).await;
    shop.sell(&[("KB-RED", 100)]).await;
    let (me, client) = shop.customer();
    let admin = shop.admin();
    let receiver = Receiver::answering(|_| Reply::Status(503)).await;
    let endpoint = Endpoint::create(&admin, &receiver.url("/"), &["order.paid"]).await;
    buy(me, &client, "confirmed").await;
    receiver.wait_for(1).await;
    let failing = wait_for("the failure is recorded", LONGEST_WAIT, async || {
        let endpoint = endpoint.read(&admin).await;
        if endpoint["failures"] == 1 { Ok(endpoint) } else { Err(endpoint) }
    })
    .await
    .unwrap();
    assert_eq!(
        (&failing["status"], failing["failing_since"].is_string()),
        (&json!("active"), true)
    );
    // Eight failures and half a minute later.
    shop.run(
        "update webhook_endpoint set failures = 9, failing_since = now() - interval '1 minute'",
    )
    .await;
    skip_pauses(&shop).await;
    let paused = endpoint.wait_for_status(&admin, "paused").await;
    assert!(paused["next_probe_at"].is_string(), "{paused}");
    let attempts = receiver.received().len();
    skip_pauses(&shop).await;
    buy(me, &client, "confirmed").await;
    tokio::time::sleep(MOMENT).await;
    assert_eq!(receiver.received().len(), attempts, "a paused endpoint is not called");

    // One probe fails: the next pause is longer.
    shop.run("update webhook_endpoint set next_probe_at = now()").await;
    receiver.wait_for(attempts + 1).await;
    tokio::time::sleep(MOMENT).await;
    assert_eq!(receiver.received().len(), attempts + 1, "one probe and no more");
    assert_eq!(endpoint.read(&admin).await["status"], "paused");
    // The next one succeeds, and everything that waits is sent.
    receiver.answer(|_| Reply::Status(200));
    shop.run("update webhook_endpoint set next_probe_at = now()").await;
    endpoint.wait_for_statuses(&admin, &["delivered"; 2]).await;
    let active = endpoint.wait_for_status(&admin, "active").await;
    assert_eq!((&active["failures"], active["failing_since"].is_null()), (&json!(0), true));

    // An operator ends a pause early.
    shop.run("update webhook_endpoint set status = 'paused', failures = 12, next_probe_at = now() + interval '1 hour'").await;
    buy(me, &client, "confirmed").await;
    admin.post(&endpoint.sub("resume"), &json!({})).await.expect(200);
    endpoint.wait_for_statuses(&admin, &["delivered"; 3]).await;
    shop.close().await;
}

#[tokio::test]
async fn an_endpoint_that_answers_410_is_disabled() {
    let instant = Duration::from_millis(20);
    let shop = Shop::open(Deadlines { ship: instant, deliver: instant, ..Deadlines::NONE }).await;
    shop.sell(&[("KB-RED", 100)]).await;
    let (me, client) = shop.customer();
    let admin = shop.admin();
    let receiver = Receiver::answering(|_| Reply::Status(500)).await;
    let endpoint = Endpoint::create(&admin, &receiver.url("/"), &ORDER_TYPES).await;
    let order = buy(me, &client, "delivered").await;
    receiver.wait_for(1).await;
    endpoint.wait_for_statuses(&admin, &["pending"; 3]).await;
    receiver.answer(|request| {
        if request.event_type() == "order.paid" { Reply::Status(200) } else { Reply::Status(410) }
    });
    wait_for("the first attempt is recorded", LONGEST_WAIT, async || {
        let attempts = shop.count("select max(attempts)::bigint from webhook_delivery").await;
        if attempts == 1 { Ok(()) } else { Err(attempts) }
    })
    .await
    .unwrap();
    skip_pauses(&shop).await;
    let disabled = endpoint.wait_for_status(&admin, "disabled").await;
    assert_eq!(disabled["disabled_reason"], "gone");
    let log = endpoint.wait_for_statuses(&admin, &["delivered", "failed", "discarded"]).await;
    assert_eq!((&log[1]["history"][0]["result"], &log[1]["key"]), (&json!("gone"), &json!(order)));
    // It receives nothing, also if other endpoints exist.
    let others = Receiver::start().await;
    let other = Endpoint::create(&admin, &others.url("/"), &["order.paid"]).await;
    buy(me, &client, "delivered").await;
    other.wait_for_statuses(&admin, &["delivered"]).await;
    assert_eq!((endpoint.deliveries(&admin).await.len(), receiver.received().len()), (3, 3));
    let id = log[2]["message_id"].as_str().unwrap();
    let path = endpoint.sub(&format!("deliveries/{id}/redeliver"));
    assert_eq!(admin.post(&path, &json!({})).await.problem(), (409, "webhook_endpoint_disabled"));
    receiver.answer(|_| Reply::Status(200));
    let resumed = admin.post(&endpoint.sub("resume"), &json!({})).await.expect(200);
    assert_eq!(
        (&resumed["status"], resumed["disabled_reason"].is_null()),
        (&json!("active"), true)
    );
    admin.post(&path, &json!({})).await.expect(202);
    endpoint.wait_for_statuses(&admin, &["delivered", "failed", "delivered"]).await;
    shop.close().await;
}

#[tokio::test]
async fn stock_and_products_are_reported() {
    let shop = Shop::open(Deadlines::NONE).await;
    let (admin, receiver) = (shop.admin(), Receiver::start().await);
    let publish_stock = async |number: i64, in_stock: bool| {
        let event = StockAvailabilityChangedV1 {
            sku: "KB-RED".parse().unwrap(),
            version: Version::try_from(number).unwrap(),
            in_stock,
            changed_at: chrono::DateTime::UNIX_EPOCH,
        };
        shop.inventory.publish(&event).await;
    };
    // Before there is an endpoint.
    publish_stock(1, true).await;
    let product = shop.sell(&[("KB-RED", 12_900)]).await;
    wait_for("the first event is consumed", LONGEST_WAIT, async || {
        let cursors = shop
            .count("select count(*) from messaging.cursor where consumer = 'order.availability'")
            .await;
        if cursors == 1 { Ok(()) } else { Err(cursors) }
    })
    .await
    .unwrap();
    let types = ["stock.out", "stock.back", "product.changed", "product.deleted"];
    let endpoint = Endpoint::create(&admin, &receiver.url("/"), &types).await;
    publish_stock(2, false).await;
    publish_stock(3, true).await;
    let version = |number: i64| Version::try_from(number).unwrap();
    let active = ProductStatus::Active;
    let change = changed(product, 3, active, &[("KB-RED", 9_900)]);
    shop.publish_product(&change, product, version(3)).await;
    // An older version changes nothing.
    let late = changed(product, 2, active, &[("KB-RED", 1)]);
    shop.publish_product(&late, product, version(2)).await;
    let deleted = ProductDeletedV1 {
        product_id: product,
        version: version(4),
        change_id: ChangeId::new(),
        deleted_at: chrono::DateTime::UNIX_EPOCH,
    };
    shop.publish_product(&deleted, product, version(4)).await;
    endpoint.wait_for_statuses(&admin, &["delivered"; 4]).await;
    let received = receiver.received();
    assert!(received.iter().all(|request| request.is_signed_with(&endpoint.secret)));
    let of = |prefix: &str| {
        let messages = received.iter().map(Received::json);
        messages
            .filter(|body| body["type"].as_str().unwrap().starts_with(prefix))
            .collect::<Vec<_>>()
    };
    let stock: Vec<Value> =
        of("stock.").iter().map(|body| json!([body["type"], body["data"]["sku"]])).collect();
    assert_eq!(stock, [json!(["stock.out", "KB-RED"]), json!(["stock.back", "KB-RED"])]);
    let products = of("product.");
    assert_eq!(
        (&products[0]["type"], &products[1]["type"]),
        (&json!("product.changed"), &json!("product.deleted"))
    );
    assert_eq!(products[0]["data"], json!(change));
    assert_eq!(products[1]["data"], json!({ "product_id": product, "version": 4 }));
    shop.close().await;
}

#[tokio::test]
async fn a_backlog_is_sent_without_statistics() {
    const MESSAGES: usize = 5_000;
    let shop = Shop::open(Deadlines::NONE).await;
    let (admin, receiver) = (shop.admin(), Receiver::start().await);
    let endpoint = Endpoint::create(&admin, &receiver.url("/"), &["order.paid"]).await;
    let id = endpoint.path.rsplit('/').next().unwrap();
    // The planner knows nothing about the table, and the search for earlier messages must use its index anyway.
    shop.run(&format!(
        "alter table webhook_delivery set (autovacuum_enabled = false);
         with message as (
             insert into webhook_message (id, event_type, body, occurred_at, created_at)
             select gen_random_uuid(), 'order.paid', '{{}}', now(), now() from generate_series(1, {MESSAGES})
             returning id
         )
         insert into webhook_delivery (endpoint_id, message_id, key, status, in_order, started_at, next_attempt_at)
         select '{id}', id, id::text, 'pending', true, now(), now() from message"
    ))
    .await;
    admin.post(&endpoint.sub("resume"), &json!({})).await.expect(200);
    wait_for("the backlog is delivered", LONGEST_WAIT, async || {
        let left =
            shop.count("select count(*) from webhook_delivery where status = 'pending'").await;
        if left == 0 { Ok(()) } else { Err(left) }
    })
    .await
    .unwrap();
    assert_eq!(receiver.received().len(), MESSAGES);
    shop.close().await;
}

#[tokio::test]
async fn endpoints_are_managed_by_administrators_only() {
    let shop = Shop::open(Deadlines::NONE).await;
    let (_, customer) = shop.customer();
    let admin = shop.admin();
    let receiver = Receiver::start().await;
    let endpoint = Endpoint::create(&admin, &receiver.url("/"), &["order.paid"]).await;
    let deliveries = endpoint.sub("deliveries");
    let redeliver = format!("{deliveries}/{}/redeliver", WebhookMessageId::new());
    let routes = [
        (Method::GET, ENDPOINTS.to_owned()),
        (Method::POST, ENDPOINTS.to_owned()),
        (Method::GET, endpoint.path.clone()),
        (Method::PATCH, endpoint.path.clone()),
        (Method::DELETE, endpoint.path.clone()),
        (Method::POST, endpoint.sub("rotate-secret")),
        (Method::POST, endpoint.sub("resume")),
        (Method::POST, endpoint.sub("test")),
        (Method::GET, deliveries.clone()),
        (Method::POST, redeliver.clone()),
    ];
    let draft = json!({ "url": receiver.url("/"), "event_types": ["order.paid"] });
    let unknown = WebhookEndpointId::new().to_string();
    for (method, path) in routes {
        let body = (method != Method::GET).then_some(&draft);
        let answer =
            async |client: &Client, path: &str| client.send(method.clone(), path, body, None).await;
        assert_eq!(answer(&shop.anonymous, &path).await.problem(), (401, "unauthorized"), "{path}");
        assert_eq!(answer(&customer, &path).await.problem(), (403, "insufficient_scope"), "{path}");
        if path != ENDPOINTS {
            let id = endpoint.path.rsplit('/').next().unwrap();
            let path = path.replace(id, &unknown);
            assert_eq!(answer(&admin, &path).await.problem(), (404, "not_found"), "{path}");
        }
    }
    assert_eq!(admin.post(&redeliver, &json!({})).await.problem(), (404, "not_found"));
    for query in ["status=lost", "cursor=x", "limit=0", "limit=101"] {
        let refused = admin.get(&format!("{deliveries}?{query}")).await;
        assert_eq!(refused.problem(), (400, "invalid_query"), "{query}");
    }
    shop.close().await;
}

#[tokio::test]
async fn endpoints_are_created_read_changed_and_deleted() {
    let shop = Shop::open(Deadlines::NONE).await;
    shop.sell(&[("KB-RED", 100)]).await;
    let (me, client) = shop.customer();
    let (admin, receiver) = (shop.admin(), Receiver::start().await);
    let bad = json!({ "url": "ftp://x", "description": "a\nb", "event_types": ["order.paid", "order.lost"] });
    let refused = admin.post(ENDPOINTS, &bad).await;
    assert_eq!(refused.problem(), (422, "validation_failed"));
    assert_eq!(refused.fields(), ["description", "event_types[1]", "url"]);
    let none = json!({ "url": receiver.url("/"), "event_types": [] });
    assert_eq!(admin.post(ENDPOINTS, &none).await.fields(), ["event_types"]);
    let extra = json!({ "url": receiver.url("/"), "event_types": ["order.paid"], "secret": "x" });
    assert_eq!(admin.post(ENDPOINTS, &extra).await.problem(), (422, "invalid_body"));

    let draft = json!({
        "url": receiver.url("/a"), "description": " ERP ", "event_types": ["order.shipped", "order.paid", "order.paid"],
    });
    let create = async || admin.send(Method::POST, ENDPOINTS, Some(&draft), Some("k1")).await;
    let created = create().await;
    let location = created.location.clone().unwrap();
    let created = created.expect(201);
    assert_eq!(create().await.expect(201), created);
    assert!(created["secret"].as_str().unwrap().starts_with("whsec_"), "{created}");
    let mut read = admin.get(&location).await.expect(200);
    assert_eq!(
        (&read["description"], &read["event_types"], &read["status"], &read["failures"]),
        (&json!("ERP"), &json!(["order.paid", "order.shipped"]), &json!("active"), &json!(0))
    );
    assert!(read["secret"].is_null(), "{read}");
    assert_eq!(admin.get(ENDPOINTS).await.expect(200), json!({ "items": [read] }));
    let patch = json!({ "url": receiver.url("/b"), "event_types": ["order.paid"] });
    let patched = admin.send(Method::PATCH, &location, Some(&patch), None).await.expect(200);
    for (name, value) in [
        ("url", &patch["url"]),
        ("event_types", &patch["event_types"]),
        ("changed_at", &patched["changed_at"]),
    ] {
        read[name] = value.clone();
    }
    assert_eq!((&patched, &admin.get(&location).await.expect(200)), (&read, &read));

    // The log has pages and a filter.
    for _ in 0..3 {
        buy(me, &client, "confirmed").await;
    }
    receiver.wait_for(3).await;
    assert!(receiver.received().iter().all(|request| request.path == "/b"));
    let endpoint = Endpoint { path: location.clone(), secret: String::new() };
    let all = endpoint.wait_for_statuses(&admin, &["delivered"; 3]).await;
    let first = admin.get(&endpoint.sub("deliveries?limit=2&status=delivered")).await.expect(200);
    assert_eq!(first["items"], json!([all[2], all[1]]));
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = admin.get(&endpoint.sub(&format!("deliveries?limit=2&cursor={cursor}"))).await;
    assert_eq!(second.expect(200), json!({ "items": [all[0]] }));
    let failed = admin.get(&endpoint.sub("deliveries?status=failed")).await.expect(200);
    assert_eq!(failed, json!({ "items": [] }));

    for number in 1..20 {
        Endpoint::create(&admin, &receiver.url(&format!("/{number}")), &["order.paid"]).await;
    }
    let full = admin.post(ENDPOINTS, &draft).await;
    assert_eq!(full.problem(), (409, "too_many_webhook_endpoints"));
    assert_eq!(admin.send(Method::DELETE, &location, None, None).await.status, 204);
    assert_eq!(admin.get(&location).await.problem(), (404, "not_found"));
    let before = receiver.received().len();
    buy(me, &client, "confirmed").await;
    receiver.wait_for(before + 19).await;
    assert!(receiver.received()[before..].iter().all(|request| request.path != "/b"));
    shop.close().await;
}

#[tokio::test]
async fn the_log_is_deleted_after_a_week() {
    let mut shop = Shop::open(Deadlines::NONE).await;
    let (admin, receiver) = (shop.admin(), Receiver::start().await);
    let endpoint = Endpoint::create(&admin, &receiver.url("/"), &["order.paid"]).await;
    for _ in 0..2 {
        admin.post(&endpoint.sub("test"), &json!({})).await.expect(200);
    }
    shop.run(
        "update webhook_message set created_at = created_at - interval '8 days';
         update webhook_delivery set started_at = started_at - interval '8 days'
         where position = (select min(position) from webhook_delivery)",
    )
    .await;
    // The sweep begins with the process.
    shop.start_instance().await;
    wait_for("the old message is deleted", LONGEST_WAIT, async || {
        let messages = shop.count("select count(*) from webhook_message").await;
        let deliveries = shop.count("select count(*) from webhook_delivery").await;
        if (messages, deliveries) == (1, 1) {
            Ok(())
        } else {
            Err(format!("{messages}, {deliveries}"))
        }
    })
    .await
    .unwrap();
    assert_eq!(endpoint.deliveries(&admin).await.len(), 1);
    shop.close().await;
}
