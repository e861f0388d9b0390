//! The middleware: trace, timeout, limits, panics, fallbacks.

use std::time::Duration;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::DefaultBodyLimit,
    http::Request,
    response::sse::{Event, Sse},
    routing::{MethodRouter, get, post},
};
use envelope::trace::{self, TraceContext};
use futures::StreamExt as _;
use problem::{Json, Problem};
use runtime::{Lifecycle, config, health::Health, http};
use serde_json::Value;
use tower::ServiceExt as _;
use utoipa_axum::router::OpenApiRouter;

use crate::{Answer, SERVICE, get as get_from, send, soon};

const SHORT: Duration = Duration::from_millis(20);
const HOUR: Duration = Duration::from_hours(1);

/// A router with one route and the request timeout `timeout`.
fn router(lifecycle: &Lifecycle, timeout: Duration, route: MethodRouter) -> Router {
    let config =
        config::Http { request_timeout: timeout, ..config::Http::at(([127, 0, 0, 1], 0).into()) };
    let routes = OpenApiRouter::new().route("/route", route);
    http::router(&SERVICE, routes, &Health::new(lifecycle), lifecycle, &config, None)
}

fn lifecycle() -> Lifecycle {
    Lifecycle::new(Duration::from_secs(1))
}

fn with_route(route: MethodRouter) -> Router {
    router(&lifecycle(), HOUR, route)
}

async fn send_bytes(router: &Router, length: usize) -> Answer {
    let request = Request::post("/route").header("content-type", "application/json");
    let body = format!("\"{}\"", "x".repeat(length - 2));
    send(router, request.body(Body::from(body)).unwrap()).await
}

#[tokio::test]
async fn the_trace_reaches_handler_problem_and_answer() {
    let router = with_route(get(async || {
        let current = trace::current().map(|context| context.to_string());
        Problem::internal().member("current", current)
    }));
    let sent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let request = Request::get("/route").header("traceparent", sent).body(Body::empty()).unwrap();
    let answer = send(&router, request).await;
    assert_eq!(answer.json()["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(answer.json()["current"], answer.header("traceparent"));
    assert_ne!(answer.header("traceparent"), sent);

    for bad in ["", "garbage", "00-00000000000000000000000000000000-00f067aa0ba902b7-01"] {
        let request =
            Request::get("/route").header("traceparent", bad).body(Body::empty()).unwrap();
        let answer = send(&router, request).await;
        let context = TraceContext::parse(answer.header("traceparent")).unwrap();
        assert_eq!(answer.json()["trace_id"], context.trace_id());
    }
    let missing = get_from(&router, "/nowhere").await;
    assert_eq!(missing.problem(), (404, "route_not_found".to_owned()));
    assert!(missing.json()["trace_id"].is_string());
}

#[tokio::test]
async fn a_wrong_method_is_405() {
    let answer = send_bytes(&with_route(get(async || ())), 10).await;
    assert_eq!(answer.problem(), (405, "method_not_allowed".to_owned()));
    assert_eq!(answer.header("allow"), "GET,HEAD");
    let live = Request::delete("/health/live").body(Body::empty()).unwrap();
    let answer = send(&with_route(get(async || ())), live).await;
    assert_eq!(answer.problem(), (405, "method_not_allowed".to_owned()));
}

#[tokio::test]
async fn a_panic_is_500_and_serving_continues() {
    let router = with_route(get(async |uri: axum::http::Uri| {
        assert_eq!(uri.query(), None, "this is supposed to panic");
        "calm"
    }));
    let answer = get_from(&router, "/route?loud").await;
    assert_eq!(answer.problem(), (500, "internal".to_owned()));
    assert!(answer.json()["trace_id"].is_string());
    assert!(!answer.text.contains("supposed"));
    assert_eq!(get_from(&router, "/route").await.text, "calm");
}

#[tokio::test]
async fn a_body_over_1_mib_is_413_unless_allowed() {
    let length = async |Json(body): Json<Value>| body.as_str().map_or(0, str::len).to_string();
    let router = with_route(post(length));
    assert_eq!(send_bytes(&router, http::BODY_LIMIT).await.status.as_u16(), 200);
    let answer = send_bytes(&router, http::BODY_LIMIT + 1).await;
    assert_eq!(answer.problem(), (413, "body_too_large".to_owned()));

    let router = with_route(post(length).layer(DefaultBodyLimit::max(2 * http::BODY_LIMIT)));
    assert_eq!(send_bytes(&router, 2 * http::BODY_LIMIT).await.status.as_u16(), 200);
    assert_eq!(send_bytes(&router, 2 * http::BODY_LIMIT + 1).await.problem().0, 413);
}

/// A handler that answers after `wait`.
fn slow(wait: Duration) -> MethodRouter {
    get(async move || {
        tokio::time::sleep(wait).await;
        "slept"
    })
}

#[tokio::test]
async fn a_request_timeout_is_503() {
    let router = router(&lifecycle(), SHORT, slow(HOUR));
    let answer = soon(get_from(&router, "/route")).await;
    assert_eq!(answer.problem(), (503, "request_timeout".to_owned()));
    assert_eq!(answer.header("retry-after"), "1");
}

#[tokio::test]
async fn a_route_may_set_its_own_timeout() {
    let more = slow(10 * SHORT).layer(http::within(HOUR));
    let answer = get_from(&router(&lifecycle(), SHORT, more), "/route").await;
    assert_eq!(answer.text, "slept");

    let less = slow(HOUR).layer(http::within(SHORT));
    let answer = soon(get_from(&router(&lifecycle(), HOUR, less), "/route")).await;
    assert_eq!(answer.problem(), (503, "request_timeout".to_owned()));
}

#[tokio::test]
async fn a_body_that_never_arrives_is_503() {
    let router = router(&lifecycle(), SHORT, post(async |_: Bytes| "arrived"));
    let body = Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
    let answer = soon(send(&router, Request::post("/route").body(body).unwrap())).await;
    assert_eq!(answer.problem(), (503, "request_timeout".to_owned()));
}

#[tokio::test]
async fn event_streams_have_no_timeout_but_end_at_shutdown() {
    let lifecycle = lifecycle();
    let route = get(async || {
        Sse::new(futures::stream::unfold(0_u32, async |number| {
            tokio::time::sleep(2 * SHORT).await;
            Some((Ok::<_, std::io::Error>(Event::default().data(number.to_string())), number + 1))
        }))
    });
    let router = router(&lifecycle, SHORT, route);
    let request = Request::get("/route").body(Body::empty()).unwrap();
    let response = router.oneshot(request).await.unwrap();
    let mut events = response.into_body().into_data_stream();
    for number in 0..3 {
        let event = soon(events.next()).await.unwrap().unwrap();
        assert_eq!(event, format!("data: {number}\n\n"));
    }
    lifecycle.shutdown();
    assert!(soon(events.next()).await.is_none());
}
