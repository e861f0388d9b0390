//! Audits by route, on databases with the schemas of the services and a search-sync of the test's own.

use std::{fs, path::Path, time::Duration};

use audit::{Databases, SERVICES};
use axum::{Json, Router, http::HeaderMap, routing::get};
use console::config::{Audit, Services};
use lapin::{Connection, ConnectionProperties, options::QueueDeclareOptions, types::FieldTable};
use reqwest::StatusCode;
use runtime::auth::Scope;
use serde_json::{Value, json};
use testkit::{Database, Vhost, wait_for};

use crate::suite::{Settings, Suite, serve, services_at};

const TIMEOUT: Duration = Duration::from_secs(30);

/// The databases of all services, without rows.
struct Schemas(Vec<(&'static str, Database)>);

impl Schemas {
    async fn create() -> Schemas {
        let mut databases = Vec::new();
        for service in SERVICES {
            let database = Database::create().await.unwrap();
            database.run("create schema messaging").await.unwrap();
            for script in scripts("messaging").into_iter().chain(scripts(service)) {
                database.run(&script).await.unwrap();
            }
            databases.push((service, database));
        }
        let schemas = Schemas(databases);
        // A migration has seeded them, and no service runs that would publish them to search-sync.
        schemas.run("product-catalog", "delete from synonym_list").await;
        schemas
    }

    fn setting(&self) -> String {
        let urls = self.0.iter().map(|(service, database)| (*service, database.url().to_owned()));
        Databases::new(urls.collect()).to_setting()
    }

    async fn run(&self, service: &str, script: &str) {
        let (_, database) = self.0.iter().find(|(name, _)| *name == service).unwrap();
        database.run(script).await.unwrap();
    }
}

/// The migrations of a service, in their order.
fn scripts(service: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations").join(service);
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|file| fs::read_to_string(file).unwrap()).collect()
}

/// Services of which only search-sync answers, and only requests with a token: its index equals the empty catalogue.
async fn search_sync() -> Services {
    let drift = async |headers: HeaderMap| {
        assert!(headers.contains_key("authorization"), "the operator's token is forwarded");
        Json(json!({ "index": 0, "differing": 0, "items": [] }))
    };
    services_at(&serve(Router::new().route("/v1/index/drift", get(drift))).await)
}

async fn suite_with(databases: String) -> Suite {
    let audit = Audit { database_urls: Some(databases.into()), management_url: None };
    let services = search_sync().await;
    Suite::with(Settings { services, audit, ..Settings::default() }).await
}

/// Starts an audit; returns its location.
async fn start(suite: &Suite, body: Option<Value>) -> String {
    let request = suite.post("/ops/audits").bearer_auth(suite.keys.token(&[Scope::Ops]));
    let request = match &body {
        Some(body) => request.json(body),
        None => request,
    };
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    let started: Value = response.json().await.unwrap();
    assert_eq!(location, format!("/ops/audits/{}", started["id"].as_str().unwrap()));
    location
}

async fn read(suite: &Suite, path: &str) -> (StatusCode, Value) {
    let request = suite.get(path).bearer_auth(suite.keys.token(&[Scope::Ops]));
    let response = request.send().await.unwrap();
    (response.status(), response.json().await.unwrap())
}

/// Waits until an audit has ended.
async fn ended(suite: &Suite, location: &str) -> Value {
    wait_for("the audit has ended", TIMEOUT, async || {
        let (_, audit) = read(suite, location).await;
        if audit["state"] == "running" { Err(audit.to_string()) } else { Ok(audit) }
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn audit_reports_what_holds_and_what_does_not() {
    let schemas = Schemas::create().await;
    let suite = suite_with(schemas.setting()).await;
    let location = start(&suite, None).await;
    let clean = ended(&suite, &location).await;
    assert_eq!((&clean["state"], &clean["passes"]), (&json!("clean"), &json!(1)), "{clean}");
    assert_eq!(clean["settle_seconds"], 60);
    assert_eq!((&clean["differences"], &clean["in_flight"]), (&json!(0), &json!(0)));
    assert_eq!(clean["checked"]["indexed_products"], 0);
    assert!(clean["checked"].get("queues").is_none(), "the broker is not checked");
    let numbers: Vec<&Value> =
        clean["invariants"].as_array().unwrap().iter().map(|found| &found["invariant"]).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);

    let unpublished =
        "insert into messaging.outbox (event_id, kind, aggregate, key, slot, seq, time, data)
         select gen_random_uuid(), 'x', 'x', 'x', 0, n, now(), '{}' from generate_series(1, 150) n";
    schemas.run("inventory", unpublished).await;
    let location = start(&suite, Some(json!({ "settle_seconds": 2 }))).await;
    let violated = ended(&suite, &location).await;
    assert_eq!(violated["state"], "violated", "{violated}");
    assert_eq!((&violated["differences"], &violated["settle_seconds"]), (&json!(150), &json!(2)));
    assert!(violated["passes"].as_u64().unwrap() > 1, "differences are looked at again");
    assert!(violated["elapsed_ms"].as_u64().unwrap() >= 2_000 && violated["ended_at"].is_string());
    for found in violated["invariants"].as_array().unwrap() {
        let count = if found["invariant"] == 5 { 150 } else { 0 };
        assert_eq!((&found["violations"], &found["holds"]), (&json!(count), &json!(count == 0)));
    }
    // The list of texts is bounded.
    let texts = violated["invariants"][4]["texts"].as_array().unwrap();
    assert_eq!(texts.len(), 100);
    assert!(texts[0].as_str().unwrap().starts_with("inventory: x "), "{texts:?}");

    let (_, list) = read(&suite, "/ops/audits").await;
    let ids: Vec<&Value> =
        list["items"].as_array().unwrap().iter().map(|audit| &audit["id"]).collect();
    assert_eq!(ids, [&violated["id"], &clean["id"]], "the newest is first");
}

#[tokio::test]
async fn audit_checks_the_queues_of_the_broker() {
    let (schemas, vhost) = (Schemas::create().await, Vhost::create().await.unwrap());
    let broker = Connection::connect(vhost.url(), ConnectionProperties::default()).await.unwrap();
    let channel = broker.create_channel().await.unwrap();
    let declare =
        channel.queue_declare("a".into(), QueueDeclareOptions::durable(), FieldTable::default());
    declare.await.unwrap();
    let (database_urls, url) = (schemas.setting(), vhost.management().url().to_owned());
    let audit =
        Audit { database_urls: Some(database_urls.into()), management_url: Some(url.into()) };
    let (services, amqp_url) = (search_sync().await, vhost.url().to_owned());
    let suite = Suite::with(Settings { services, amqp_url, audit, ..Settings::default() }).await;
    let location = start(&suite, None).await;
    let clean = ended(&suite, &location).await;
    assert_eq!((&clean["state"], &clean["checked"]["queues"]), (&json!("clean"), &json!(1)));
}

#[tokio::test]
async fn one_audit_runs_at_a_time() {
    let schemas = Schemas::create().await;
    let suite = suite_with(schemas.setting()).await;
    // Differences that stay keep it running.
    schemas
        .run("order", "insert into product (product_id, version) values (gen_random_uuid(), 1)")
        .await;
    let first = start(&suite, Some(json!({ "settle_seconds": 5 }))).await;
    let second = start(&suite, Some(json!({ "settle_seconds": 600 }))).await;
    assert_eq!(first, second, "the running one is returned");
    let progress = wait_for("a pass has ended", TIMEOUT, async || {
        let (_, audit) = read(&suite, &first).await;
        if audit["passes"] == json!(0) { Err(audit.to_string()) } else { Ok(audit) }
    })
    .await
    .unwrap();
    assert_eq!((&progress["state"], &progress["differences"]), (&json!("running"), &json!(1)));
    assert_eq!((&progress["in_flight"], &progress["ended_at"]), (&Value::Null, &Value::Null));
    assert_eq!(progress["invariants"], json!([]));
    assert_eq!(ended(&suite, &first).await["state"], "violated");
    assert_ne!(start(&suite, Some(json!({ "settle_seconds": 0 }))).await, first);
}

#[tokio::test]
async fn audit_without_a_database_fails_with_its_reason() {
    let unreachable = SERVICES
        .map(|service| format!("{service}=postgres://me:secret@127.0.0.1:1/{service}"))
        .join(",");
    let suite = suite_with(unreachable).await;
    let location = start(&suite, None).await;
    let failed = ended(&suite, &location).await;
    assert_eq!(failed["state"], "failed");
    let reason = failed["reason"].as_str().unwrap();
    assert!(reason.starts_with("cannot read the database of order"), "{reason}");
    assert!(!failed.to_string().contains("secret"), "{failed}");
}

#[tokio::test]
async fn the_last_ten_audits_are_kept() {
    let unreachable =
        SERVICES.map(|service| format!("{service}=postgres://127.0.0.1:1/x")).join(",");
    let suite = suite_with(unreachable).await;
    let first = start(&suite, None).await;
    ended(&suite, &first).await;
    for _ in 0..10 {
        let location = start(&suite, None).await;
        ended(&suite, &location).await;
    }
    let (_, list) = read(&suite, "/ops/audits").await;
    assert_eq!(list["items"].as_array().unwrap().len(), 10);
    let (status, problem) = read(&suite, &first).await;
    assert_eq!((status, &problem["code"]), (StatusCode::NOT_FOUND, &json!("not_found")));
}

#[tokio::test]
async fn wrong_audits_are_refused() {
    let schemas = Schemas::create().await;
    let suite = suite_with(schemas.setting()).await;
    let token = suite.keys.token(&[Scope::Ops]);
    for (body, status, code) in [
        (r#"{"settle_seconds": 601}"#, 422, "validation_failed"),
        (r#"{"settle_seconds": -1}"#, 422, "invalid_body"),
        (r#"{"settle": 1}"#, 422, "invalid_body"),
        ("{", 400, "malformed_json"),
    ] {
        let request = suite.post("/ops/audits").bearer_auth(&token);
        let request = request.header("content-type", "application/json").body(body);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status, "{body}");
        assert_eq!(response.json::<Value>().await.unwrap()["code"], code, "{body}");
    }
    let without_type = suite.post("/ops/audits").bearer_auth(&token).body("{}");
    assert_eq!(without_type.send().await.unwrap().status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let (status, problem) = read(&suite, "/ops/audits/1").await;
    assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &json!("invalid_path")));
    let unknown = suite.post("/ops/audits").send().await.unwrap();
    assert_eq!(unknown.status(), StatusCode::UNAUTHORIZED);
    let shopper = suite.keys.token(&[Scope::OrdersRead, Scope::OrdersWrite]);
    let forbidden = suite.post("/ops/audits").bearer_auth(shopper).send().await.unwrap();
    assert_eq!(forbidden.status(), StatusCode::FORBIDDEN);
    assert_eq!(read(&suite, "/ops/audits").await.1["items"], json!([]), "none was started");
}

#[tokio::test]
async fn audits_are_off_without_databases() {
    for database_urls in [None, Some("".into())] {
        let audit = Audit { database_urls, management_url: None };
        let suite = Suite::with(Settings { audit, ..Settings::default() }).await;
        let token = suite.keys.token(&[Scope::Ops]);
        for request in [
            suite.post("/ops/audits"),
            suite.get("/ops/audits"),
            suite.get("/ops/audits/0192d4f0-0000-7000-8000-000000000000"),
        ] {
            let response = request.bearer_auth(&token).send().await.unwrap();
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(response.json::<Value>().await.unwrap()["code"], "audits_off");
        }
    }
}
