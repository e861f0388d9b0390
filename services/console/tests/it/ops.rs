//! The live operations page's own routes, with a real broker.

use std::time::Duration;

use axum::extract::Path;
use axum::http::{HeaderMap, Uri};
use axum::routing::{get, post};
use axum::{Json, Router};
use console::config::Services;
use futures::{Stream, StreamExt as _};
use lapin::options::{
    BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind};
use reqwest::StatusCode;
use runtime::auth::Scope;
use serde_json::{Value, json};
use testkit::Vhost;

use crate::suite::{Setting, Suite, everywhere, nowhere, serve};

const PATIENCE: Duration = Duration::from_secs(20);

/// Says what it is asked to on an exchange, as a service does.
struct Speaker {
    channel: Channel,
    _connection: Connection,
}

impl Speaker {
    async fn on(vhost: &Vhost) -> Speaker {
        let connection =
            Connection::connect(vhost.url(), ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        Speaker { channel, _connection: connection }
    }

    async fn exchange(&self, name: &str) {
        let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let declared = self.channel.exchange_declare(
            name.into(),
            ExchangeKind::Topic,
            options,
            FieldTable::default(),
        );
        declared.await.unwrap();
    }

    #[expect(clippy::disallowed_methods, reason = "this test is the service that speaks")]
    async fn say(&self, exchange: &str, key: &str, kinds: &[&str]) {
        let events: Vec<Value> = kinds
            .iter()
            .map(|kind| {
                json!({"specversion": "1.0", "id": "1", "source": exchange, "type": kind, "subject": "42",
                    "time": "2026-11-22T08:00:00Z", "sequence": "1", "aggregate": "order", "data": {}})
            })
            .collect();
        let body = serde_json::to_vec(&events).unwrap();
        let properties = BasicProperties::default();
        let publish = self.channel.basic_publish(
            exchange.into(),
            key.into(),
            BasicPublishOptions::default(),
            &body,
            properties,
        );
        publish.await.unwrap().await.unwrap();
    }
}

/// The events of a stream, as (type, data).
fn events_of(answer: reqwest::Response) -> impl Stream<Item = (String, Value)> {
    let parts = answer.bytes_stream();
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
                let said = (field("event: "), data);
                let rest = rest.to_owned();
                return Some((said, (parts, rest)));
            }
            let part = parts.next().await?.unwrap();
            text.push_str(std::str::from_utf8(&part).unwrap());
        }
    })
}

/// The first event that `wanted` takes.
async fn wait_for<T>(
    events: &mut (impl Stream<Item = (String, Value)> + Unpin),
    wanted: impl Fn(&str, &Value) -> Option<T>,
) -> T {
    let looking = async {
        loop {
            let (kind, data) = events.next().await.unwrap();
            if let Some(found) = wanted(&kind, &data) {
                return found;
            }
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.unwrap()
}

/// A state in which the broker is connected and exactly so many exchanges are heard.
fn hears(count: usize) -> impl Fn(&str, &Value) -> Option<()> {
    move |kind, data| {
        let heard = data["broker"]["exchanges"].as_array().map(Vec::len);
        (kind == "state" && data["broker"]["connected"] == true && heard == Some(count))
            .then_some(())
    }
}

async fn on(vhost: &Vhost) -> Suite {
    Suite::with(Setting { amqp_url: vhost.url().to_owned(), ..Setting::default() }).await
}

#[tokio::test]
async fn only_operators_may_look() {
    let suite = Suite::start().await;
    for path in [
        "/ops/events",
        "/ops/queues",
        "/ops/dead-letters",
        "/ops/dead-letters/groups",
        "/ops/dead-letters/order",
        "/ops/dead-letters/order/1/redrive",
    ] {
        let answer = suite.get(path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        let answer = suite.get(path).bearer_auth("nonsense").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{path}");
        let shopper = suite.keys.token(&[Scope::OrdersRead, Scope::OrdersWrite]);
        let answer = suite.get(path).bearer_auth(shopper).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path}");
    }
}

#[tokio::test]
async fn events_are_overheard_as_they_flow() {
    let vhost = Vhost::create().await.unwrap();
    let speaker = Speaker::on(&vhost).await;
    speaker.exchange("order").await;
    let suite = on(&vhost).await;
    let token = suite.keys.token(&[Scope::Ops]);
    let answer = suite.get("/ops/events").bearer_auth(&token).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut events = Box::pin(events_of(answer));

    wait_for(&mut events, hears(1)).await;
    speaker.say("order", "order.3", &["order.placed.v1", "order.confirmed.v1"]).await;
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

    // An exchange that comes later is heard later.
    speaker.exchange("inventory").await;
    wait_for(&mut events, hears(2)).await;
    speaker.say("inventory", "stock.0", &["stock.changed.v1"]).await;
    let heard = |kind: &str, data: &Value| {
        (kind == "flow" && data["exchanges"]["inventory"] == 1).then_some(())
    };
    wait_for(&mut events, heard).await;
    vhost.at_rest(PATIENCE).await.unwrap();
}

#[tokio::test]
async fn a_lost_broker_is_said_and_found_again() {
    let vhost = Vhost::create().await.unwrap();
    let speaker = Speaker::on(&vhost).await;
    speaker.exchange("order").await;
    let suite = on(&vhost).await;
    let token = suite.keys.token(&[Scope::Ops]);
    let answer = suite.get("/ops/events").bearer_auth(&token).send().await.unwrap();
    let mut events = Box::pin(events_of(answer));
    wait_for(&mut events, hears(1)).await;
    // The server lists a connection some moments after it was made. They are closed together, once both are listed: the speaker's does
    // not come back.
    testkit::wait_until("the server lists both connections", PATIENCE, async || {
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
    wait_for(&mut events, hears(1)).await;
    let speaker = Speaker::on(&vhost).await;
    speaker.say("order", "order.1", &["order.placed.v1"]).await;
    wait_for(&mut events, |kind, _| (kind == "flow").then_some(())).await;
}

#[tokio::test]
async fn nothing_is_overheard_when_nobody_looks() {
    let vhost = Vhost::create().await.unwrap();
    let speaker = Speaker::on(&vhost).await;
    speaker.exchange("order").await;
    let suite = on(&vhost).await;
    assert!(vhost.queues().await.unwrap().is_empty());
    let token = suite.keys.token(&[Scope::Ops]);
    let answer = suite.get("/ops/events").bearer_auth(&token).send().await.unwrap();
    let mut events = Box::pin(events_of(answer));
    wait_for(&mut events, hears(1)).await;
    drop(events);
    testkit::wait_until("the tap's queue is gone", PATIENCE, async || {
        vhost.queues().await.is_ok_and(|queues| queues.is_empty())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn queues_are_counted_by_the_names_that_the_services_give() {
    let vhost = Vhost::create().await.unwrap();
    let speaker = Speaker::on(&vhost).await;
    let declared = speaker.channel.queue_declare(
        "order.product.0".into(),
        QueueDeclareOptions::durable(),
        FieldTable::default(),
    );
    declared.await.unwrap();
    speaker.say("", "order.product.0", &["product.changed.v1"]).await;
    let topology = async || {
        Json(json!({ "queues": ["order.product.0", "order.missing.0", "order.product.0"] }))
    };
    let figures = async |headers: HeaderMap| {
        assert!(headers.contains_key("authorization"), "the services check the operator's token");
        Json(json!({ "outbox": null, "queues": [
            { "queue": "order.product.0", "arrivals_per_s": 2.5, "wait_ms": 12.0, "service_ms": null },
        ] }))
    };
    let service =
        Router::new().route("/ops/topology", get(topology)).route("/v1/queues", get(figures));
    let services = everywhere(&serve(service).await);
    let suite =
        Suite::with(Setting { amqp_url: vhost.url().to_owned(), services, with_keys: true }).await;
    let token = suite.keys.token(&[Scope::Ops]);
    let answer = suite.get("/ops/queues").bearer_auth(&token).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let queues: Value = answer.json().await.unwrap();
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
async fn the_dead_letters_of_all_services_are_one_list() {
    let letters = async |headers: HeaderMap| {
        assert!(headers.contains_key("authorization"), "the services check the operator's token");
        Json(json!({ "pending": 3, "items": [
            { "id": "b", "died_at": "2026-11-22T08:00:01Z" }, { "id": "a", "died_at": "2026-11-22T08:00:00Z" },
        ] }))
    };
    let url = serve(Router::new().route("/v1/dead-letters", get(letters))).await;
    let services = Services { order_url: nowhere().order_url, ..everywhere(&url) };
    let suite = Suite::with(Setting { services, ..Setting::default() }).await;
    let token = suite.keys.token(&[Scope::Ops]);
    let answer = suite.get("/ops/dead-letters?limit=5").bearer_auth(&token).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let listed: Value = answer.json().await.unwrap();
    assert_eq!(listed["pending"], 12);
    assert_eq!(listed["services"][1], json!({ "name": "order", "pending": null }));
    assert_eq!(listed["services"][2], json!({ "name": "inventory", "pending": 3 }));
    let items = listed["items"].as_array().unwrap();
    let ids: Vec<&str> = items.iter().filter_map(|item| item["id"].as_str()).collect();
    assert_eq!(ids, ["b", "b", "b", "b", "a"], "the newest first, no more than asked for");
    assert_eq!(items[0]["service"], "product-catalog");

    let unknown =
        suite.get("/ops/dead-letters?pending=1").bearer_auth(&token).send().await.unwrap();
    assert!(unknown.status().is_client_error());
}

#[tokio::test]
async fn the_groups_of_all_services_are_one_list_the_largest_first() {
    let groups = async || {
        Json(json!({ "items": [{ "reason": "a", "count": 1 }, { "reason": "b", "count": 12 }] }))
    };
    let url = serve(Router::new().route("/v1/dead-letters/groups", get(groups))).await;
    let services = Services { order_url: url.parse().unwrap(), ..nowhere() };
    let suite = Suite::with(Setting { services, ..Setting::default() }).await;
    let token = suite.keys.token(&[Scope::Ops]);
    let answer = suite.get("/ops/dead-letters/groups").bearer_auth(&token).send().await.unwrap();
    let listed: Value = answer.json().await.unwrap();
    let expected = json!({ "items": [
        { "reason": "b", "count": 12, "service": "order" }, { "reason": "a", "count": 1, "service": "order" },
    ] });
    assert_eq!(listed, expected);
}

#[tokio::test]
async fn dead_letters_are_dealt_with_by_their_service() {
    let redrive = async |Path(id): Path<String>| match id.as_str() {
        "good" => StatusCode::NO_CONTENT,
        _ => StatusCode::CONFLICT,
    };
    let list = async |uri: Uri| uri.query().unwrap_or_default().to_owned();
    let upstream = Router::new()
        .route("/v1/dead-letters/{id}/redrive", post(redrive))
        .route("/v1/dead-letters", get(list));
    let suite = Suite::before(upstream).await;
    let token = suite.keys.token(&[Scope::Ops]);
    let listed = suite.get("/ops/dead-letters/inventory?reason=a&kind=").bearer_auth(&token);
    assert_eq!(listed.send().await.unwrap().text().await.unwrap(), "reason=a&kind=");
    for (path, status) in [
        ("inventory/good/redrive", StatusCode::NO_CONTENT),
        ("inventory/bad/redrive", StatusCode::CONFLICT),
        ("inventory/good/burn", StatusCode::NOT_FOUND),
        ("nobody/good/redrive", StatusCode::NOT_FOUND),
    ] {
        let asked = suite.post(&format!("/ops/dead-letters/{path}")).bearer_auth(&token);
        assert_eq!(asked.send().await.unwrap().status(), status, "{path}");
    }
}

#[tokio::test]
async fn without_a_broker_the_page_says_so_and_the_shop_goes_on() {
    let suite = Suite::start().await;
    let token = suite.keys.token(&[Scope::Ops]);
    let answer = suite.get("/ops/queues").bearer_auth(&token).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.json::<Value>().await.unwrap()["code"], "broker_unavailable");
    let answer = suite.get("/ops/events").bearer_auth(&token).send().await.unwrap();
    let mut events = Box::pin(events_of(answer));
    let down = |kind: &str, data: &Value| {
        let away = data["services"].as_array()?.iter().all(|service| service["status"] == "away");
        (kind == "state" && away && data["services"].as_array()?.len() == 5).then_some(())
    };
    wait_for(&mut events, down).await;
    assert_eq!(suite.get("/").send().await.unwrap().status(), StatusCode::OK);
}
