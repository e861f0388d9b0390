//! The routes that every service has.

use std::time::Duration;

use axum::{Router, body::Body, http::Request};
use problem::Json;
use runtime::{
    Lifecycle,
    auth::{Scope, SigningKey, mint},
    config,
    health::Health,
    http,
};
use serde_json::json;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{SERVICE, get, send};

#[derive(serde::Serialize, utoipa::ToSchema)]
struct Thing {
    name: String,
}

#[utoipa::path(get, path = "/v1/things/{name}", params(("name" = String, Path)),
               responses((status = 200, body = Thing)))]
async fn thing(problem::Path(name): problem::Path<String>) -> Json<Thing> {
    Json(Thing { name })
}

#[utoipa::path(put, path = "/v1/things/{name}", params(("name" = String, Path)),
               responses((status = 204), (status = 409, description = "There is one", body = problem::Problem)),
               security(("bearer" = [])))]
async fn put_thing() {}

fn routes() -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(thing, put_thing))
}

fn router() -> (Router, Health, Lifecycle) {
    let lifecycle = Lifecycle::new(Duration::from_secs(1));
    let health = Health::new(&lifecycle);
    let config = config::Http::at(([127, 0, 0, 1], 0).into());
    let router = http::router(&SERVICE, routes(), &health, &lifecycle, &config, None);
    (router, health, lifecycle)
}

#[tokio::test]
async fn liveness_is_up() {
    let answer = get(&router().0, "/health/live").await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({"status": "up"})));
}

#[tokio::test]
async fn readiness_lists_the_reasons_of_components() {
    let (router, health, lifecycle) = router();
    let ready = async || {
        let answer = get(&router, "/health/ready").await;
        assert_eq!(answer.header("cache-control"), "no-store");
        let mut body = answer.json();
        let mut since = Vec::new();
        for component in body["components"].as_object_mut().unwrap().values_mut() {
            since.extend(component.as_object_mut().unwrap().remove("since"));
        }
        (answer.status.as_u16(), body, since)
    };
    let broker = health.component("broker");
    let expect = async |code: u16, status: &str, component: serde_json::Value| {
        let expected = json!({"status": status, "components": {"broker": component}});
        let (answered, body, since) = ready().await;
        assert_eq!((answered, body), (code, expected));
        since
    };
    expect(503, "down", json!({"status": "down", "reason": "starting"})).await;
    broker.up();
    assert!(expect(200, "up", json!({"status": "up"})).await.is_empty());
    broker.degraded("one queue is silent");
    let degraded = json!({"status": "degraded", "reason": "one queue is silent"});
    let since = expect(200, "degraded", degraded).await;
    assert!(health.is_ready());
    broker.degraded("two queues are silent");
    let degraded = json!({"status": "degraded", "reason": "two queues are silent"});
    assert_eq!(expect(200, "degraded", degraded).await, since, "it still is degraded");
    broker.down("it blocks publishers");
    let down = json!({"status": "down", "reason": "it blocks publishers"});
    assert_ne!(expect(503, "down", down).await, since);
    assert!(!health.is_ready());

    broker.up();
    lifecycle.shutdown();
    let stopping = json!({"status": "down", "reason": "shutting down"});
    let components = json!({"broker": {"status": "up"}, "process": stopping});
    let (code, body, _) = ready().await;
    assert_eq!((code, body), (503, json!({"status": "down", "components": components})));
    assert_eq!(get(&router, "/health/live").await.status.as_u16(), 200);
}

#[tokio::test]
async fn answers_of_the_api_load_nothing_in_a_browser() {
    let (router, ..) = router();
    for path in ["/v1/things/a", "/nothing", "/health/live", "/openapi.json", "/problems/internal"]
    {
        let answer = get(&router, path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'"), "{path}: {policy}");
    }
}

#[tokio::test]
async fn metrics_count_requests_by_route() {
    let (_, health, lifecycle) = router();
    let config = config::Http::at(([127, 0, 0, 1], 0).into());
    let key = SigningKey::generate().unwrap();
    let verifier = Some(key.verifier());
    let router = http::router(&SERVICE, routes(), &health, &lifecycle, &config, verifier.as_ref());
    assert_eq!(get(&router, "/v1/things/a").await.json(), json!({"name": "a"}));
    assert_eq!(get(&router, "/scanned/for/secrets").await.status.as_u16(), 404);
    let token = mint(&key, "operator", &[Scope::Ops], Duration::from_mins(1)).unwrap();
    let request = Request::get("/metrics").header("authorization", format!("Bearer {token}"));
    let metrics = send(&router, request.body(Body::empty()).unwrap()).await;
    assert_eq!(metrics.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    for line in [
        "http_requests_total{method=\"GET\",route=\"/v1/things/{name}\",status=\"200\"}",
        "http_requests_total{method=\"GET\",route=\"unmatched\",status=\"404\"}",
        "http_request_duration_seconds_bucket{method=\"GET\",route=\"/v1/things/{name}\",status=\"200\",le=\"0.001\"}",
        "http_requests_in_flight ",
    ] {
        assert!(metrics.text.contains(line), "{line} is not in {}", metrics.text);
    }
    assert!(!metrics.text.contains("scanned"));
}

#[tokio::test]
async fn the_document_has_own_and_shared_parts() {
    let (router, ..) = router();
    let document = get(&router, "/openapi.json").await.json();
    assert_eq!(document, serde_json::to_value(http::document(&SERVICE, routes())).unwrap());
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(
        document["info"],
        json!({"title": "tested", "version": "1.2.3", "description": "Is tested."})
    );
    assert_eq!(document["servers"], json!([{"url": "."}]));
    let schemas = &document["components"]["schemas"];
    for name in ["Thing", "Problem", "FieldError"] {
        assert!(schemas[name].is_object(), "{name}: {schemas}");
    }
    assert_eq!(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
    let operations = &document["paths"]["/v1/things/{name}"];
    for operation in ["get", "put"] {
        let content = &operations[operation]["responses"]["default"]["content"];
        assert_eq!(
            content["application/problem+json"]["schema"]["$ref"], "#/components/schemas/Problem",
            "{operation}"
        );
    }
    // Every reference resolves.
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
}

#[tokio::test]
async fn the_api_reference_is_embedded() {
    let (router, ..) = router();
    let redirect = get(&router, "/docs").await;
    assert_eq!((redirect.status.as_u16(), redirect.header("location")), (308, "docs/"));

    let page = get(&router, "/docs/").await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html"));
    assert!(page.text.contains("<html") && !page.text.contains("https://unpkg"), "{}", page.text);
    assert_eq!(get(&router, "/docs/index.html").await.text, page.text);

    let start = get(&router, "/docs/swagger-initializer.js").await;
    assert!(start.text.contains("../openapi.json"), "{}", start.text);
    let script = get(&router, "/docs/swagger-ui-bundle.js").await;
    assert_eq!((script.status.as_u16(), script.header("content-type")), (200, "text/javascript"));

    let policy = script.header("content-security-policy");
    assert!(policy.contains("script-src 'self';") && !policy.contains("unsafe-eval"), "{policy}");
    assert_eq!(script.header("x-content-type-options"), "nosniff");

    let missing = get(&router, "/docs/nothing.js").await;
    assert_eq!(missing.problem(), (404, "not_found".to_owned()));
}

#[tokio::test]
async fn the_type_of_a_problem_is_a_page_that_explains_its_code() {
    let (router, ..) = router();
    let problem = get(&router, "/nothing").await;
    let path = problem.json()["type"].as_str().unwrap().to_owned();
    let page = get(&router, &path).await;
    assert_eq!(
        (page.status.as_u16(), page.header("content-type")),
        (200, "text/html; charset=utf-8")
    );
    assert!(page.text.contains("<h1><code>route_not_found</code></h1>"), "{}", page.text);
    assert_eq!(get(&router, "/problems/nothing").await.problem(), (404, "not_found".to_owned()));
}
