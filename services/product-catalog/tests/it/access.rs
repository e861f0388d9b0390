//! Authorization, queue metrics and the OpenAPI document.

use std::collections::BTreeSet;

use reqwest::{Method, RequestBuilder};
use runtime::auth::Scope;
use serde_json::{Value, json};
use service_testkit::LONGEST_WAIT;
use testkit::wait_for;

use crate::suite::{Suite, keyboard, path_of, problem_of};

/// The service of the tests that subscribes to products.
const SUBSCRIBER: &str = "subscriber";

#[tokio::test(flavor = "multi_thread")]
async fn reading_is_public_and_writing_needs_the_scope() {
    let suite = Suite::start().await;
    let (product, _) = suite.create(&keyboard("K-1")).await;
    let path = path_of(&product);
    for (method, path) in [
        (Method::POST, "/v1/products"),
        (Method::PUT, path.as_str()),
        (Method::PATCH, path.as_str()),
        (Method::DELETE, path.as_str()),
        (Method::POST, "/v1/imports"),
        (Method::PUT, "/v1/synonyms"),
        (Method::POST, "/v1/rules"),
        (Method::PUT, "/v1/rules/01920000-0000-7000-8000-000000000001"),
        (Method::DELETE, "/v1/rules/01920000-0000-7000-8000-000000000001"),
    ] {
        let body = match path {
            "/v1/synonyms" => json!({"items": []}),
            path if path.starts_with("/v1/rules") => {
                json!({"action": "hide", "where": "everywhere", "products": {"brand": "Keys"}})
            }
            _ => keyboard("K-2"),
        };
        let anonymous = suite.anonymous(method.clone(), path).json(&body).send().await.unwrap();
        assert_eq!(problem_of(anonymous).await.1, "unauthorized", "{method} {path}");
        let forged = suite
            .anonymous(method.clone(), path)
            .bearer_auth("a.b.c")
            .json(&body)
            .send()
            .await
            .unwrap();
        assert_eq!(problem_of(forged).await.1, "unauthorized", "{method} {path}");
        let token = suite.token(&[Scope::Ops, Scope::StockWrite]);
        let other = suite
            .anonymous(method.clone(), path)
            .bearer_auth(token)
            .json(&body)
            .send()
            .await
            .unwrap();
        assert_eq!(problem_of(other).await.1, "insufficient_scope", "{method} {path}");
    }
    assert_eq!(suite.get(&path).await, product);
    suite.settled().await;
    assert_eq!(suite.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_active_products_are_public() {
    let suite = Suite::start().await;
    let (active, _) = suite.create(&keyboard("K-1")).await;
    for (sku, status) in [("K-2", "draft"), ("K-3", "archived")] {
        let mut body = keyboard(sku);
        body["status"] = json!(status);
        let (product, _) = suite.create(&body).await;
        let (one, listed) = (path_of(&product), format!("/v1/products?sku={sku}"));
        let by_status = format!("/v1/products?status={status}");
        for token in [None, Some(suite.token(&[Scope::StockWrite, Scope::Ops]))] {
            let get = async |path: &str| {
                let request = suite.anonymous(Method::GET, path);
                let request = token.iter().fold(request, RequestBuilder::bearer_auth);
                request.send().await.unwrap()
            };
            assert_eq!(problem_of(get(&one).await).await.1, "not_found", "{status}");
            let page: Value = get(&listed).await.json().await.unwrap();
            assert_eq!(page["items"], json!([]), "{status}");
            let page: Value = get("/v1/products").await.json().await.unwrap();
            assert_eq!(page["items"], json!([active]), "{status}");
            let refused = if token.is_some() { "insufficient_scope" } else { "unauthorized" };
            assert_eq!(problem_of(get(&by_status).await).await.1, refused, "{status}");
        }
        assert_eq!(suite.get(&one).await, product);
        assert_eq!(suite.get(&listed).await["items"], json!([product]));
        assert_eq!(suite.get(&by_status).await["items"], json!([product]));
    }
    assert_eq!(suite.get("/v1/products").await["items"].as_array().unwrap().len(), 3);
    suite.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn export_and_snapshots_need_a_scope() {
    let suite = Suite::start().await;
    for (path, scope) in [
        ("/v1/export", Scope::CatalogWrite),
        ("/v1/snapshots/product", Scope::Ops),
        ("/v1/snapshots/search", Scope::Ops),
        ("/ops/topology", Scope::Ops),
        ("/metrics", Scope::Ops),
    ] {
        let anonymous = suite.anonymous(Method::GET, path).send().await.unwrap();
        assert_eq!(problem_of(anonymous).await.1, "unauthorized", "{path}");
        let with = async |token: String| {
            suite.anonymous(Method::GET, path).bearer_auth(token).send().await.unwrap()
        };
        let other = with(suite.token(&[Scope::OrdersAdmin])).await;
        assert_eq!(problem_of(other).await.1, "insufficient_scope", "{path}");
        assert_eq!(with(suite.token(&[scope])).await.status(), 200, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_get_queue_metrics() {
    let suite = Suite::start().await;
    let path = "/v1/queues";
    let anonymous = suite.anonymous(Method::GET, path).send().await.unwrap();
    assert_eq!(problem_of(anonymous).await.1, "unauthorized");
    let other = suite.request(Method::GET, path).send().await.unwrap();
    assert_eq!(problem_of(other).await.1, "insufficient_scope");
    let metrics = wait_for("the queues are measured", LONGEST_WAIT, async || {
        let request = suite.anonymous(Method::GET, path).bearer_auth(suite.token(&[Scope::Ops]));
        let metrics: Value = request.send().await.unwrap().json().await.unwrap();
        let measured =
            metrics["queues"][0]["in_queue"].is_number() && metrics["outbox"].is_object();
        if measured { Ok(metrics) } else { Err(metrics) }
    })
    .await
    .unwrap();
    assert_eq!(metrics["queues"][0]["queue"], "product-catalog.receipt.0");
    // An average: the first synonyms have passed through the outbox.
    assert!(metrics["outbox"]["in_queue"].as_f64().is_some_and(|events| events <= 1.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_publish_events_again() {
    let suite = Suite::start().await;
    suite.create(&keyboard("K-1")).await;
    suite.settled().await;
    let received = suite.received().len();
    let republish = async |token: String, body: Value| {
        let request = suite.anonymous(Method::POST, "/v1/republish").bearer_auth(token);
        request.json(&body).send().await.unwrap()
    };
    let ops = || suite.token(&[Scope::Ops]);
    let since = "2026-01-01T00:00:00Z";
    let body = json!({"subscriber": SUBSCRIBER, "since": since});
    let other = republish(suite.token(&[Scope::CatalogWrite]), body.clone()).await;
    assert_eq!(problem_of(other).await.1, "insufficient_scope");
    for (field, body) in [
        ("subscriber", json!({"subscriber": "stranger", "since": since})),
        ("after", json!({"subscriber": SUBSCRIBER, "since": since, "after": "7"})),
    ] {
        let problem: Value = republish(ops(), body).await.json().await.unwrap();
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
    let report: Value = republish(ops(), body).await.json().await.unwrap();
    assert!(report["events"].as_u64().is_some_and(|events| events >= 1), "{report}");
    assert_eq!(report["next"], Value::Null, "{report}");
    // The subscriber recognises the events.
    suite.create(&keyboard("K-2")).await;
    suite.settled().await;
    assert_eq!(suite.received().len(), received + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn document_lists_every_route() {
    let suite = Suite::start().await;
    let document = suite.get("/openapi.json").await;
    let mut found = BTreeSet::new();
    let paths = document["paths"].as_object().unwrap();
    // The routes of every service are tested in `runtime`.
    for (path, item) in paths.iter().filter(|(path, _)| path.starts_with("/v1/")) {
        for (method, operation) in item.as_object().unwrap() {
            assert!(
                operation["responses"].is_object() && operation["summary"].is_string(),
                "{method} {path}"
            );
            found.insert(format!("{method} {path}"));
        }
    }
    let expected = [
        "delete /v1/products/{id}",
        "delete /v1/rules/{id}",
        "get /v1/categories",
        "get /v1/changes/{id}",
        "get /v1/changes/{id}/events",
        "get /v1/dead-letters",
        "get /v1/dead-letters/groups",
        "get /v1/dead-letters/{id}",
        "get /v1/export",
        "get /v1/imports",
        "get /v1/imports/{id}",
        "get /v1/imports/{id}/refused.csv",
        "get /v1/lost-commits",
        "get /v1/lost-events",
        "get /v1/products",
        "get /v1/products/{id}",
        "get /v1/queues",
        "get /v1/rules",
        "get /v1/rules/{id}",
        "get /v1/snapshots/product",
        "get /v1/snapshots/search",
        "get /v1/synonyms",
        "patch /v1/products/{id}",
        "post /v1/dead-letters/discard",
        "post /v1/dead-letters/redrive",
        "post /v1/dead-letters/{id}/declare-lost",
        "post /v1/dead-letters/{id}/discard",
        "post /v1/dead-letters/{id}/dry-run",
        "post /v1/dead-letters/{id}/redrive",
        "post /v1/imports",
        "post /v1/products",
        "post /v1/republish",
        "post /v1/rules",
        "put /v1/dead-letters/{id}/data",
        "put /v1/products/{id}",
        "put /v1/rules/{id}",
        "put /v1/synonyms",
    ];
    assert_eq!(found, expected.map(str::to_owned).into());
    // Every referenced schema exists.
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let text = document.to_string();
    for reference in text.split("#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(schemas.contains_key(name), "{name}");
    }
    let draft: &Value = &schemas["ProductDraft"];
    assert!(draft["properties"]["variants"].is_object());
}
