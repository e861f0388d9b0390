//! What is handed on, and what is not.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _, channel::mpsc};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::Mutex;

use console::proxy::{Patience, Proxy};

use crate::suite::{Suite, everywhere, nowhere, serve};

/// Tells what it was asked.
async fn echo(request: Request) -> Json<Value> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let headers: BTreeMap<String, String> = parts
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    Json(json!({
        "method": parts.method.as_str(),
        "uri": parts.uri.to_string(),
        "headers": headers,
        "body": String::from_utf8_lossy(&body),
    }))
}

#[tokio::test]
async fn path_query_body_and_headers_arrive_as_they_were_sent() {
    let suite = Suite::before(Router::new().fallback(echo)).await;
    let answer = suite
        .post("/api/inventory/v1/stock/KB%2FF87%23?a=%20b&a=c")
        .header("authorization", "Bearer abc")
        .header("x-forwarded-for", "203.0.113.7")
        .header("connection", "x-private, keep-alive")
        .header("x-private", "for this hop only")
        .header("te", "trailers")
        .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
        .body("how many?")
        .send()
        .await
        .unwrap();
    let traced = answer.headers()["traceparent"].to_str().unwrap().to_owned();
    let heard: Value = answer.json().await.unwrap();
    assert_eq!(heard["method"], "POST");
    assert_eq!(heard["uri"], "/v1/stock/KB%2FF87%23?a=%20b&a=c");
    assert_eq!(heard["body"], "how many?");
    let headers = &heard["headers"];
    assert_eq!(headers["authorization"], "Bearer abc");
    assert_eq!(headers["content-length"], "9");
    assert!(headers["x-forwarded-for"].as_str().unwrap().starts_with("203.0.113.7"));
    for gone in ["x-private", "te", "connection", "transfer-encoding"] {
        assert!(headers[gone].is_null(), "{gone}");
    }
    let onward = headers["traceparent"].as_str().unwrap();
    for trace in [onward, &traced] {
        assert_eq!(trace.split('-').nth(1), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
    }
}

#[tokio::test]
async fn a_request_without_a_body_stays_without_one() {
    let suite = Suite::before(Router::new().fallback(echo)).await;
    let heard: Value =
        suite.get("/api/order/v1/orders").send().await.unwrap().json().await.unwrap();
    assert!(heard["headers"]["transfer-encoding"].is_null());
    assert!(heard["headers"]["content-length"].is_null());
    let heard: Value = suite.get("/api/order").send().await.unwrap().json().await.unwrap();
    assert_eq!(heard["uri"], "/");
}

#[tokio::test]
async fn answers_keep_status_and_headers_and_locations_lead_back_here() {
    async fn created() -> Response {
        let mut headers = HeaderMap::new();
        headers.insert("location", HeaderValue::from_static("/v1/orders/7"));
        headers.insert("change-id", HeaderValue::from_static("9"));
        headers.insert("keep-alive", HeaderValue::from_static("timeout=5"));
        (StatusCode::ACCEPTED, headers, "taken").into_response()
    }
    async fn moved() -> Response {
        (StatusCode::FOUND, [("location", "https://elsewhere/x")]).into_response()
    }
    let upstream = Router::new().route("/v1/orders", post(created)).route("/moved", get(moved));
    let suite = Suite::before(upstream).await;
    let answer = suite.post("/api/order/v1/orders").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    assert_eq!(answer.headers()["location"], "/api/order/v1/orders/7");
    assert_eq!(answer.headers()["change-id"], "9");
    assert!(answer.headers().get("keep-alive").is_none());
    assert_eq!(answer.text().await.unwrap(), "taken");
    let answer = suite.get("/api/order/moved").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::FOUND);
    assert_eq!(answer.headers()["location"], "https://elsewhere/x");
}

/// The stream of events that a test says, taken by the first who asks.
type Said = Arc<Mutex<Option<mpsc::Receiver<Result<Bytes, Infallible>>>>>;

#[tokio::test]
async fn an_event_stream_is_not_held_back() {
    let (mut say, events) = mpsc::channel::<Result<Bytes, Infallible>>(1);
    let events: Said = Arc::new(Mutex::new(Some(events)));
    let stream = async |State(events): State<Said>| {
        let events = events.lock().await.take().unwrap();
        ([("content-type", "text/event-stream")], Body::from_stream(events))
    };
    let suite =
        Suite::before(Router::new().route("/v1/events", get(stream)).with_state(events)).await;
    let answer = suite.get("/api/order/v1/events").send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut parts = answer.bytes_stream();
    // Each event is read before the next is said: were anything gathered on the way, this would wait for ever.
    for n in 0..3 {
        let event = Bytes::from(format!("data: {n}\n\n"));
        say.send(Ok(event.clone())).await.unwrap();
        let part = tokio::time::timeout(Duration::from_secs(5), parts.next()).await.unwrap();
        assert_eq!(part.unwrap().unwrap(), event);
    }
    // When the browser goes, the service is told by the end of its stream.
    drop(parts);
    let told =
        async { while say.send(Ok(Bytes::from_static(b"data: anybody?\n\n"))).await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(5), told).await.unwrap();
}

#[tokio::test]
async fn an_upload_goes_through_while_it_is_still_being_sent() {
    async fn first_line(request: Request) -> String {
        let mut parts = request.into_body().into_data_stream();
        String::from_utf8(parts.next().await.unwrap().unwrap().to_vec()).unwrap()
    }
    let suite = Suite::before(Router::new().route("/v1/imports", post(first_line))).await;
    let (mut send, lines) = mpsc::channel::<Result<Bytes, Infallible>>(1);
    send.send(Ok(Bytes::from_static(b"{}\n"))).await.unwrap();
    let body = reqwest::Body::wrap_stream(lines);
    let answer = suite.post("/api/product-catalog/v1/imports").body(body).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "{}\n");
    drop(send);
}

#[tokio::test]
async fn a_service_that_does_not_exist_is_not_found() {
    let suite = Suite::before(Router::new().fallback(echo)).await;
    for path in ["/api/warehouse/v1/x", "/api/warehouse", "/api/orders/", "/api/%6Frder/v1"] {
        let answer = suite.get(path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
    }
}

#[tokio::test]
async fn a_service_that_is_down_is_a_problem_to_try_again_after() {
    let suite = Suite::start().await;
    let answer = suite.get("/api/order/v1/orders").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers()["retry-after"], "1");
    let problem: Value = answer.json().await.unwrap();
    assert_eq!(problem["code"], "service_unreachable");
    assert!(problem["detail"].as_str().unwrap().contains("order"));
}

#[tokio::test]
async fn a_service_that_hangs_up_is_a_bad_gateway() {
    use tokio::io::AsyncReadExt as _;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let services = everywhere(&format!("http://{}", listener.local_addr().unwrap()));
    let suite =
        Suite::with(crate::suite::Setting { services, ..crate::suite::Setting::default() }).await;
    let hang_up = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = [0; 64];
        assert!(stream.read(&mut head).await.unwrap() > 0);
    };
    let asking = suite.post("/api/order/v1/orders").body("x").send();
    let (answer, ()) = tokio::join!(asking, hang_up);
    let answer = answer.unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
    assert_eq!(answer.json::<Value>().await.unwrap()["code"], "service_broke_off");
}

/// A proxy that is less patient than the real one, before an upstream.
async fn impatient(upstream: Router) -> String {
    let patience = Patience { connect: Duration::from_secs(1), head: Duration::from_millis(300) };
    let services = everywhere(&serve(upstream).await);
    let proxy = Proxy::new(services, patience).unwrap();
    serve(console::proxy::router(proxy).split_for_parts().0).await
}

#[tokio::test]
async fn a_service_that_says_nothing_is_not_waited_for_for_ever() {
    let silent = Router::new().fallback(any(async || std::future::pending::<()>().await));
    let url = impatient(silent).await;
    let client =
        reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().unwrap();
    let answer = client.get(format!("{url}/api/order/v1/orders")).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(answer.json::<Value>().await.unwrap()["code"], "service_silent");
}

#[tokio::test]
async fn an_upload_that_moves_may_take_longer_than_silence() {
    let url = impatient(Router::new().fallback(echo)).await;
    let parts = futures::stream::unfold(0, async |n| {
        // Slower in all than the proxy's patience, but never silent for so long.
        tokio::time::sleep(Duration::from_millis(100)).await;
        (n < 8).then(|| (Ok::<_, Infallible>(Bytes::from_static(b".")), n + 1))
    });
    let client =
        reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().unwrap();
    let posting =
        client.post(format!("{url}/api/order/v1/orders")).body(reqwest::Body::wrap_stream(parts));
    let heard: Value = posting.send().await.unwrap().json().await.unwrap();
    assert_eq!(heard["body"], "........");
}

#[tokio::test]
async fn services_are_known_by_their_names() {
    for (name, _) in nowhere().each() {
        assert!(nowhere().find(name).is_some());
    }
    assert!(nowhere().find("console").is_none());
}
