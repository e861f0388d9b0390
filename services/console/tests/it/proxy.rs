//! The proxy to the services.

use std::{collections::BTreeMap, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use bytes::Bytes;
use console::proxy::{Proxy, ProxyTimeouts};
use futures::{SinkExt as _, StreamExt as _, channel::mpsc};
use reqwest::StatusCode;
use runtime::{
    Lifecycle,
    clients::{ClientLimits, TrustedProxies},
    config,
    health::Health,
};
use serde_json::{Value, json};
use testkit::TestAuthority;
use tls::ClientTls;
use tokio::sync::Mutex;

use crate::suite::{Settings, Suite, serve, services_at, unreachable_services};

/// Returns the request as JSON.
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
async fn path_query_body_and_headers_are_forwarded() {
    let suite = Suite::with_upstream(Router::new().fallback(echo)).await;
    let response = suite
        .post("/api/inventory/v1/stock/KB%2FF87%23?a=%20b&a=c")
        .header("authorization", "Bearer abc")
        .header("x-forwarded-for", "203.0.113.7")
        .header("forwarded", "for=203.0.113.7")
        .header("connection", "x-private, keep-alive")
        .header("x-private", "for this hop only")
        .header("te", "trailers")
        .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
        .body("how many?")
        .send()
        .await
        .unwrap();
    let traceparent = response.headers()["traceparent"].to_str().unwrap().to_owned();
    let received: Value = response.json().await.unwrap();
    assert_eq!(received["method"], "POST");
    assert_eq!(received["uri"], "/v1/stock/KB%2FF87%23?a=%20b&a=c");
    assert_eq!(received["body"], "how many?");
    let headers = &received["headers"];
    assert_eq!(headers["authorization"], "Bearer abc");
    assert_eq!(headers["content-length"], "9");
    // The browser is no trusted proxy, so it cannot name another client.
    assert_eq!(headers["x-forwarded-for"], "127.0.0.1");
    assert!(headers["forwarded"].is_null());
    for gone in ["x-private", "te", "connection", "transfer-encoding"] {
        assert!(headers[gone].is_null(), "{gone}");
    }
    let forwarded = headers["traceparent"].as_str().unwrap();
    for trace in [forwarded, &traceparent] {
        assert_eq!(trace.split('-').nth(1), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
    }
}

#[tokio::test]
async fn request_without_a_body_stays_without_one() {
    let suite = Suite::with_upstream(Router::new().fallback(echo)).await;
    let received: Value =
        suite.get("/api/order/v1/orders").send().await.unwrap().json().await.unwrap();
    assert!(received["headers"]["transfer-encoding"].is_null());
    assert!(received["headers"]["content-length"].is_null());
    let received: Value = suite.get("/api/order").send().await.unwrap().json().await.unwrap();
    assert_eq!(received["uri"], "/");
}

#[tokio::test]
async fn response_keeps_status_and_headers_with_location_rewritten() {
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
    let suite = Suite::with_upstream(upstream).await;
    let response = suite.post("/api/order/v1/orders").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    assert_eq!(response.headers()["location"], "/api/order/v1/orders/7");
    assert_eq!(response.headers()["change-id"], "9");
    assert!(response.headers().get("keep-alive").is_none());
    assert_eq!(response.text().await.unwrap(), "taken");
    let response = suite.get("/api/order/moved").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::FOUND);
    assert_eq!(response.headers()["location"], "https://elsewhere/x");
}

/// The body that the upstream sends, taken by the first request.
type StreamBody = Arc<Mutex<Option<mpsc::Receiver<Result<Bytes, Infallible>>>>>;

#[tokio::test]
async fn event_stream_is_not_buffered() {
    let (mut sender, events) = mpsc::channel::<Result<Bytes, Infallible>>(1);
    let events: StreamBody = Arc::new(Mutex::new(Some(events)));
    let stream = async |State(events): State<StreamBody>| {
        let events = events.lock().await.take().unwrap();
        ([("content-type", "text/event-stream")], Body::from_stream(events))
    };
    let suite =
        Suite::with_upstream(Router::new().route("/v1/events", get(stream)).with_state(events))
            .await;
    let response = suite.get("/api/order/v1/events").send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut parts = response.bytes_stream();
    // Each event is read before the next is sent: with a buffer in between, this would hang.
    for n in 0..3 {
        let event = Bytes::from(format!("data: {n}\n\n"));
        sender.send(Ok(event.clone())).await.unwrap();
        let part = tokio::time::timeout(Duration::from_secs(5), parts.next()).await.unwrap();
        assert_eq!(part.unwrap().unwrap(), event);
    }
    // When the browser disconnects, the stream of the service ends.
    drop(parts);
    let closed = async {
        while sender.send(Ok(Bytes::from_static(b"data: still there?\n\n"))).await.is_ok() {}
    };
    tokio::time::timeout(Duration::from_secs(5), closed).await.unwrap();
}

#[tokio::test]
async fn upload_is_streamed() {
    async fn first_line(request: Request) -> String {
        let mut parts = request.into_body().into_data_stream();
        String::from_utf8(parts.next().await.unwrap().unwrap().to_vec()).unwrap()
    }
    let suite = Suite::with_upstream(Router::new().route("/v1/imports", post(first_line))).await;
    let (mut send, lines) = mpsc::channel::<Result<Bytes, Infallible>>(1);
    send.send(Ok(Bytes::from_static(b"{}\n"))).await.unwrap();
    let body = reqwest::Body::wrap_stream(lines);
    let response = suite.post("/api/product-catalog/v1/imports").body(body).send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), "{}\n");
    drop(send);
}

#[tokio::test]
async fn unknown_service_is_not_found() {
    let suite = Suite::with_upstream(Router::new().fallback(echo)).await;
    for path in ["/api/warehouse/v1/x", "/api/warehouse", "/api/orders/", "/api/%6Frder/v1"] {
        let response = suite.get(path).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
    }
}

#[tokio::test]
async fn unreachable_service_is_a_retryable_problem() {
    let suite = Suite::start().await;
    let response = suite.get("/api/order/v1/orders").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()["retry-after"], "1");
    let problem: Value = response.json().await.unwrap();
    assert_eq!(problem["code"], "service_unreachable");
    assert!(problem["detail"].as_str().unwrap().contains("order"));
}

#[tokio::test]
async fn closed_connection_is_a_bad_gateway() {
    use tokio::io::AsyncReadExt as _;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let services = services_at(&format!("http://{}", listener.local_addr().unwrap()));
    let suite = Suite::with(Settings { services, ..Settings::default() }).await;
    let hang_up = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = [0; 64];
        assert!(stream.read(&mut head).await.unwrap() > 0);
    };
    let request = suite.post("/api/order/v1/orders").body("x").send();
    let (response, ()) = tokio::join!(request, hang_up);
    let response = response.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
    assert_eq!(response.json::<Value>().await.unwrap()["code"], "service_broke_off");
}

/// Serves a proxy with short timeouts in front of `upstream`.
async fn serve_proxy(upstream: Router) -> String {
    let response_headers = Duration::from_millis(300);
    let timeouts = ProxyTimeouts { connect: Duration::from_secs(1), response_headers };
    let services = services_at(&serve(upstream).await);
    let (limits, trusted) = (ClientLimits::OFF, TrustedProxies::default());
    let proxy = Proxy::new(services, None, timeouts, limits, trusted);
    let routes = console::http::proxy_routes().with_state(proxy);
    serve(routes.split_for_parts().0).await
}

#[tokio::test]
async fn silent_service_is_a_gateway_timeout() {
    let silent = Router::new().fallback(any(async || std::future::pending::<()>().await));
    let url = serve_proxy(silent).await;
    let client =
        reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().unwrap();
    let response = client.get(format!("{url}/api/order/v1/orders")).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(response.json::<Value>().await.unwrap()["code"], "service_silent");
}

#[tokio::test]
async fn upload_in_progress_extends_the_timeout() {
    let url = serve_proxy(Router::new().fallback(echo)).await;
    let parts = futures::stream::unfold(0, async |n| {
        // Longer than the timeout in total, but with a chunk every 100 ms.
        tokio::time::sleep(Duration::from_millis(100)).await;
        (n < 8).then(|| (Ok::<_, Infallible>(Bytes::from_static(b".")), n + 1))
    });
    let client =
        reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().unwrap();
    let request =
        client.post(format!("{url}/api/order/v1/orders")).body(reqwest::Body::wrap_stream(parts));
    let received: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(received["body"], "........");
}

#[tokio::test]
async fn services_are_found_by_name() {
    for (name, _) in unreachable_services().each() {
        assert!(unreachable_services().find(name).is_some());
    }
    assert!(unreachable_services().find("console").is_none());
}

#[tokio::test]
async fn a_service_needs_a_certificate_of_the_suite() {
    let (ours, foreign) = (TestAuthority::create().unwrap(), TestAuthority::create().unwrap());
    let files = ours.issue("order", &["localhost"], true).unwrap();
    let lifecycle = Lifecycle::new(Duration::from_secs(1));
    let http = config::Http {
        https_addr: Some(([127, 0, 0, 1], 0).into()),
        ..config::Http::at(([127, 0, 0, 1], 0).into())
    };
    let tls = config::Tls {
        certificate_file: Some(files.certificate),
        key_file: Some(files.key),
        ..config::Tls::default()
    };
    let upstream = Router::new().fallback(any(async || "secret"));
    let health = Health::new(&lifecycle);
    let served = runtime::http::serve_with_tls(&lifecycle, &http, &tls, &health, upstream);
    let port = served.await.unwrap().https.unwrap().port();
    for (authority, status) in
        [(&ours, StatusCode::OK), (&foreign, StatusCode::SERVICE_UNAVAILABLE)]
    {
        let services = services_at(&format!("https://localhost:{port}"));
        let tls = Some(ClientTls::open(&authority.client_files()).unwrap());
        let (limits, trusted) = (ClientLimits::OFF, TrustedProxies::default());
        let proxy = Proxy::new(services, tls, ProxyTimeouts::default(), limits, trusted);
        let routes = console::http::proxy_routes().with_state(proxy);
        let url = serve(routes.split_for_parts().0).await;
        let response = reqwest::get(format!("{url}/api/order/v1/orders")).await.unwrap();
        assert_eq!(response.status(), status);
    }
    lifecycle.abort();
}
