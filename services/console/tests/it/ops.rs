//! The operations routes, with a real broker.

use std::time::Duration;

use axum::{
    Json, Router,
    extract::Path,
    http::{HeaderMap, Uri},
    routing::{get, post},
};
use console::config::Services;
use futures::{Stream, StreamExt as _};
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind,
    options::{
        BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions, QueueDeclareOptions,
    },
    types::FieldTable,
};
use reqwest::StatusCode;
use runtime::auth::Scope;
use serde_json::{Value, json};
use testkit::Vhost;

use crate::suite::{Settings, Suite, serve, services_at, unreachable_services};

const TIMEOUT: Duration = Duration::from_secs(20);

/// Publishes event batches, as a service does.
struct Publisher {
    channel: Channel,
    _connection: Connection,
}

impl Publisher {
    async fn connect(vhost: &Vhost) -> Publisher {
        let connection =
            Connection::connect(vhost.url(), ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        Publisher { channel, _connection: connection }
    }

    async fn declare_exchange(&self, name: &str) {
        let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let declared = self.channel.exchange_declare(
            name.into(),
            ExchangeKind::Topic,
            options,
            FieldTable::default(),
        );
        declared.await.unwrap();
    }

    #[expect(clippy::disallowed_methods, reason = "this test stands in for a publishing service")]
    async fn publish(&self, exchange: &str, routing_key: &str, types: &[&str]) {
        let events: Vec<Value> = types
            .iter()
            .map(|event_type| {
                json!({"specversion": "1.0", "id": "1", "source": exchange, "type": event_type, "subject": "42",
                    "time": "2026-11-22T08:00:00Z", "sequence": "1", "aggregate": "order", "data": {}})
            })
            .collect();
        let body = serde_json::to_vec(&events).unwrap();
        let properties = BasicProperties::default();
        let publish = self.channel.basic_publish(
            exchange.into(),
            routing_key.into(),
            BasicPublishOptions::default(),
            &body,
            properties,
        );
        publish.await.unwrap().await.unwrap();
    }
}

/// The server-sent events of a response, as (event, data).
fn events_of(response: reqwest::Response) -> impl Stream<Item = (String, Value)> {
    let parts = response.bytes_stream();
    futures::stream::unfold((Box::pin(parts), String::new()), async |(mut parts, mut text)| {
        loop {
            if let Some((event, rest)) = text.split_once("\n\n") {
                let field = |name: &str| {
                    event
                        .lines()
                        .find_map(|line| line.strip_prefix(name))
                        .unwrap_or_default()
                        .to_owned()
                };
                let data = serde_json::from_str(&field("data: ")).unwrap_or_default();
                let event = (field("event: "), data);
                let rest = rest.to_owned();
                return Some((event, (parts, rest)));
            }
            let part = parts.next().await?.unwrap();
            text.push_str(std::str::from_utf8(&part).unwrap());
        }
    })
}

/// Waits for the first event for which `wanted` returns `Some`.
async fn wait_for<T>(
    events: &mut (impl Stream<Item = (String, Value)> + Unpin),
    wanted: impl Fn(&str, &Value) -> Option<T>,
) -> T {
    let searching = async {
        loop {
            let (kind, data) = events.next().await.unwrap();
            if let Some(found) = wanted(&kind, &data) {
                return found;
            }
        }
    };
    tokio::time::timeout(TIMEOUT, searching).await.unwrap()
}

/// A `state` event with a connected broker and exactly `count` bound exchanges.
fn bound_to(count: usize) -> impl Fn(&str, &Value) -> Option<()> {
    move |kind, data| {
        let bound = data["broker"]["exchanges"].as_array().map(Vec::len);
        (kind == "state" && data["broker"]["connected"] == true && bound == Some(count))
            .then_some(())
    }
}

async fn suite_on(vhost: &Vhost) -> Suite {
    Suite::with(Settings { amqp_url: vhost.url().to_owned(), ..Settings::default() }).await
}

#[tokio::test]
async fn operations_routes_require_the_ops_scope() {
    let suite = Suite::start().await;
    for path in [
        "/ops/events",
        "/ops/queues",
        "/ops/dead-letters",
        "/ops/dead-letters/groups",
        "/ops/dead-letters/order",
        "/ops/dead-letters/order/1/redrive",
        "/ops/audits",
        "/ops/audits/0192d4f0-0000-7000-8000-000000000000",
    ] {
        let response = suite.get(path).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let response = suite.get(path).bearer_auth("nonsense").send().await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path}");
        let shopper = suite.keys.token(&[Scope::OrdersRead, Scope::OrdersWrite]);
        let response = suite.get(path).bearer_auth(shopper).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{path}");
    }
}

#[tokio::test]
async fn events_are_streamed_as_they_flow() {
    let vhost = Vhost::create().await.unwrap();
    let publisher = Publisher::connect(&vhost).await;
    publisher.declare_exchange("order").await;
    let suite = suite_on(&vhost).await;
    let token = suite.keys.token(&[Scope::Ops]);
    let response = suite.get("/ops/events").bearer_auth(&token).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut events = Box::pin(events_of(response));

    wait_for(&mut events, bound_to(1)).await;
    publisher.publish("order", "order.3", &["order.placed.v1", "order.confirmed.v1"]).await;
    let flow = wait_for(&mut events, |kind, data| (kind == "flow").then(|| data.clone())).await;
    assert_eq!((&flow["messages"], &flow["events"]), (&json!(1), &json!(2)));
    assert_eq!(flow["kinds"], json!({"order.placed.v1": 1, "order.confirmed.v1": 1}));
    assert_eq!(flow["exchanges"], json!({"order": 2}));
    let item = &flow["items"][0];
    assert_eq!(item["exchange"], "order");
    assert_eq!(item["routing_key"], "order.3");
    assert_eq!(item["type"], "order.placed.v1");
    assert_eq!(item["subject"], "42");
    assert_eq!(item["time"], "2026-11-22T08:00:00Z");

    // An exchange that is declared later is bound, too.
    publisher.declare_exchange("inventory").await;
    wait_for(&mut events, bound_to(2)).await;
    publisher.publish("inventory", "stock.0", &["stock.changed.v1"]).await;
    let from_inventory = |kind: &str, data: &Value| {
        (kind == "flow" && data["exchanges"]["inventory"] == 1).then_some(())
    };
    wait_for(&mut events, from_inventory).await;
    vhost.wait_until_drained(TIMEOUT).await.unwrap();
}

#[tokio::test]
async fn lost_broker_is_reported_and_reconnected() {
    let vhost = Vhost::create().await.unwrap();
    let publisher = Publisher::connect(&vhost).await;
    publisher.declare_exchange("order").await;
    let suite = suite_on(&vhost).await;
    let token = suite.keys.token(&[Scope::Ops]);
    let response = suite.get("/ops/events").bearer_auth(&token).send().await.unwrap();
    let mut events = Box::pin(events_of(response));
    wait_for(&mut events, bound_to(1)).await;
    // The server lists a new connection with a delay. Both are closed together once both are listed; the publisher does not
    // reconnect.
    testkit::wait_until("the server lists both connections", TIMEOUT, async || {
        let listed = vhost.management().connections().await.unwrap();
        listed.iter().filter(|connection| connection.vhost == vhost.name()).count() == 2
    })
    .await
    .unwrap();
    assert_eq!(vhost.close_connections().await.unwrap(), 2);
    let lost = |kind: &str, data: &Value| {
        (kind == "state"
            && data["broker"]["connected"] == false
            && data["broker"]["reason"].is_string())
        .then_some(())
    };
    wait_for(&mut events, lost).await;
    wait_for(&mut events, bound_to(1)).await;
    let publisher = Publisher::connect(&vhost).await;
    publisher.publish("order", "order.1", &["order.placed.v1"]).await;
    wait_for(&mut events, |kind, _| (kind == "flow").then_some(())).await;
}

#[tokio::test]
async fn feed_queue_exists_only_while_a_page_is_open() {
    let vhost = Vhost::create().await.unwrap();
    let publisher = Publisher::connect(&vhost).await;
    publisher.declare_exchange("order").await;
    let suite = suite_on(&vhost).await;
    assert!(vhost.queues().await.unwrap().is_empty());
    let token = suite.keys.token(&[Scope::Ops]);
    let response = suite.get("/ops/events").bearer_auth(&token).send().await.unwrap();
    let mut events = Box::pin(events_of(response));
    wait_for(&mut events, bound_to(1)).await;
    drop(events);
    testkit::wait_until("the queue of the event feed is deleted", TIMEOUT, async || {
        vhost.queues().await.is_ok_and(|queues| queues.is_empty())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn queues_are_listed_with_depth_and_figures() {
    let vhost = Vhost::create().await.unwrap();
    let publisher = Publisher::connect(&vhost).await;
    let declared = publisher.channel.queue_declare(
        "order.product.0".into(),
        QueueDeclareOptions::durable(),
        FieldTable::default(),
    );
    declared.await.unwrap();
    publisher.publish("", "order.product.0", &["product.changed.v1"]).await;
    let topology = async || {
        Json(json!({ "queues": ["order.product.0", "order.missing.0", "order.product.0"] }))
    };
    let figures = async |headers: HeaderMap| {
        assert!(headers.contains_key("authorization"), "the operator's token is forwarded");
        Json(json!({ "outbox": null, "queues": [
            { "queue": "order.product.0", "arrivals_per_s": 2.5, "wait_ms": 12.0, "service_ms": null },
        ] }))
    };
    let service =
        Router::new().route("/ops/topology", get(topology)).route("/v1/queues", get(figures));
    let services = services_at(&serve(service).await);
    let suite =
        Suite::with(Settings { amqp_url: vhost.url().to_owned(), services, ..Settings::default() })
            .await;
    let token = suite.keys.token(&[Scope::Ops]);
    let response = suite.get("/ops/queues").bearer_auth(&token).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let queues: Value = response.json().await.unwrap();
    assert_eq!(
        queues,
        json!([
            {"name": "order.missing.0", "messages": null, "consumers": null},
            {"name": "order.product.0", "messages": 1, "consumers": 0,
             "figures": {"arrivals_per_s": 2.5, "wait_ms": 12.0, "service_ms": null}},
        ])
    );
}

#[tokio::test]
async fn dead_letters_of_all_services_are_merged() {
    let dead_letters = async |headers: HeaderMap| {
        assert!(headers.contains_key("authorization"), "the operator's token is forwarded");
        Json(json!({ "pending": 3, "items": [
            { "id": "b", "died_at": "2026-11-22T08:00:01Z" }, { "id": "a", "died_at": "2026-11-22T08:00:00Z" },
        ] }))
    };
    let url = serve(Router::new().route("/v1/dead-letters", get(dead_letters))).await;
    let services = Services { order_url: unreachable_services().order_url, ..services_at(&url) };
    let suite = Suite::with(Settings { services, ..Settings::default() }).await;
    let token = suite.keys.token(&[Scope::Ops]);
    let response = suite.get("/ops/dead-letters?limit=5").bearer_auth(&token).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let listed: Value = response.json().await.unwrap();
    assert_eq!(listed["pending"], 12);
    assert_eq!(listed["services"][1], json!({ "name": "order", "pending": null }));
    assert_eq!(listed["services"][2], json!({ "name": "inventory", "pending": 3 }));
    let items = listed["items"].as_array().unwrap();
    let ids: Vec<&str> = items.iter().filter_map(|item| item["id"].as_str()).collect();
    assert_eq!(ids, ["b", "b", "b", "b", "a"], "newest first, at most `limit`");
    assert_eq!(items[0]["service"], "product-catalog");

    let unknown =
        suite.get("/ops/dead-letters?pending=1").bearer_auth(&token).send().await.unwrap();
    assert!(unknown.status().is_client_error());
}

#[tokio::test]
async fn dead_letter_groups_of_all_services_are_sorted_by_count() {
    let groups = async || {
        Json(json!({ "items": [{ "reason": "a", "count": 1 }, { "reason": "b", "count": 12 }] }))
    };
    let url = serve(Router::new().route("/v1/dead-letters/groups", get(groups))).await;
    let services = Services { order_url: url.parse().unwrap(), ..unreachable_services() };
    let suite = Suite::with(Settings { services, ..Settings::default() }).await;
    let token = suite.keys.token(&[Scope::Ops]);
    let response = suite.get("/ops/dead-letters/groups").bearer_auth(&token).send().await.unwrap();
    let listed: Value = response.json().await.unwrap();
    let expected = json!({ "items": [
        { "reason": "b", "count": 12, "service": "order" }, { "reason": "a", "count": 1, "service": "order" },
    ] });
    assert_eq!(listed, expected);
}

#[tokio::test]
async fn dead_letter_requests_are_forwarded_to_their_service() {
    let redrive = async |Path(id): Path<String>| match id.as_str() {
        "good" => StatusCode::NO_CONTENT,
        _ => StatusCode::CONFLICT,
    };
    let list = async |uri: Uri| uri.query().unwrap_or_default().to_owned();
    let upstream = Router::new()
        .route("/v1/dead-letters/{id}/redrive", post(redrive))
        .route("/v1/dead-letters", get(list));
    let suite = Suite::with_upstream(upstream).await;
    let token = suite.keys.token(&[Scope::Ops]);
    let request = suite.get("/ops/dead-letters/inventory?reason=a&kind=").bearer_auth(&token);
    assert_eq!(request.send().await.unwrap().text().await.unwrap(), "reason=a&kind=");
    for (path, status) in [
        ("inventory/good/redrive", StatusCode::NO_CONTENT),
        ("inventory/bad/redrive", StatusCode::CONFLICT),
        ("inventory/good/burn", StatusCode::NOT_FOUND),
        ("unknown/good/redrive", StatusCode::NOT_FOUND),
    ] {
        let request = suite.post(&format!("/ops/dead-letters/{path}")).bearer_auth(&token);
        assert_eq!(request.send().await.unwrap().status(), status, "{path}");
    }
}

#[tokio::test]
async fn without_a_broker_the_shop_still_works() {
    let suite = Suite::start().await;
    let token = suite.keys.token(&[Scope::Ops]);
    let response = suite.get("/ops/queues").bearer_auth(&token).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.json::<Value>().await.unwrap()["code"], "broker_unavailable");
    let response = suite.get("/ops/events").bearer_auth(&token).send().await.unwrap();
    let mut events = Box::pin(events_of(response));
    let down = |kind: &str, data: &Value| {
        let unreachable =
            data["services"].as_array()?.iter().all(|service| service["status"] == "away");
        (kind == "state" && unreachable && data["services"].as_array()?.len() == 5).then_some(())
    };
    wait_for(&mut events, down).await;
    assert_eq!(suite.get("/").send().await.unwrap().status(), StatusCode::OK);
}
