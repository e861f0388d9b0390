//! What one client may do: open requests, new identities, and requests that are not valid.

use std::time::Duration;

use axum::{
    Router,
    body::Body,
    extract::Request,
    response::{IntoResponse as _, Response},
    routing::{any, get, post},
};
use console::http::Identity;
use reqwest::{Client, StatusCode};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use crate::suite::{Settings, Suite, serve, services_at};

const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// A service that answers `/v1/quick`, follows `/v1/events` for ever, and reads all other bodies to their end.
fn upstream() -> Router {
    let events = async || {
        let body = Body::from_stream(futures::stream::pending::<Result<&str, std::io::Error>>());
        ([("content-type", "text/event-stream")], body)
    };
    let read = async |request: Request| -> Response {
        match axum::body::to_bytes(request.into_body(), 1 << 20).await {
            Ok(body) => body.len().to_string().into_response(),
            Err(_) => StatusCode::BAD_REQUEST.into_response(),
        }
    };
    let never = any(async || std::future::pending::<()>().await);
    Router::new()
        .route("/v1/quick", get(async || "quick"))
        .route("/v1/events", get(events))
        .route("/v1/poll", never)
        .route("/v1/uploads", post(read))
}

async fn start(limits: &str, trusted_proxies: &str) -> Suite {
    let services = services_at(&serve(upstream()).await);
    Suite::with(Settings {
        services,
        client_limits: limits.parse().unwrap(),
        trusted_proxies: trusted_proxies.parse().unwrap(),
        ..Settings::default()
    })
    .await
}

/// A raw connection from an address of the loopback network.
async fn connect(suite: &Suite, from: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{from}:0").parse().unwrap()).unwrap();
    let to = suite.url.strip_prefix("http://").unwrap().parse().unwrap();
    socket.connect(to).await.unwrap()
}

/// Sends a request and leaves the connection open.
async fn open(suite: &Suite, from: &str, request: &str) -> TcpStream {
    let mut stream = connect(suite, from).await;
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// The first bytes of the answer, if one arrives within a moment.
async fn early_answer(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = vec![0; 4_096];
    let count = timeout(Duration::from_millis(300), stream.read(&mut bytes)).await.ok()?.unwrap();
    Some(String::from_utf8_lossy(&bytes[..count]).into_owned())
}

async fn answer(stream: &mut TcpStream) -> String {
    let mut bytes = vec![0; 4_096];
    let count = timeout(LONGEST_WAIT, stream.read(&mut bytes)).await.unwrap().unwrap();
    String::from_utf8_lossy(&bytes[..count]).into_owned()
}

const ENDLESS_UPLOAD: &str = "POST /api/order/v1/uploads HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n";
const QUICK: &str = "GET /api/order/v1/quick HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn one_address_cannot_take_all_open_requests() {
    let suite = start("forwarded=4", "").await;
    let mut uploads = Vec::new();
    for _ in 0..4 {
        let mut upload = open(&suite, "127.0.0.1", ENDLESS_UPLOAD).await;
        assert_eq!(early_answer(&mut upload).await, None);
        uploads.push(upload);
    }
    let refused = answer(&mut open(&suite, "127.0.0.1", QUICK).await).await;
    assert!(refused.starts_with("HTTP/1.1 429"), "{refused}");
    assert!(refused.contains("too_many_open_requests") && refused.contains("retry-after: 1"));
    let other = answer(&mut open(&suite, "127.0.0.2", QUICK).await).await;
    assert!(other.starts_with("HTTP/1.1 200"), "{other}");
    // A body that does not continue ends.
    for upload in &mut uploads {
        let ended = answer(upload).await;
        assert!(ended.starts_with("HTTP/1.1 408") && ended.contains("body_too_slow"), "{ended}");
    }
    let again = answer(&mut open(&suite, "127.0.0.1", QUICK).await).await;
    assert!(again.starts_with("HTTP/1.1 200"), "{again}");
}

#[tokio::test]
async fn a_customer_has_a_share_of_an_address() {
    let suite = start("forwarded=8", "").await;
    let identity: Identity = suite.post("/session").send().await.unwrap().json().await.unwrap();
    let upload = format!(
        "POST /api/order/v1/uploads HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
        identity.token
    );
    let mut uploads = Vec::new();
    for _ in 0..2 {
        let mut open = open(&suite, "127.0.0.1", &upload).await;
        assert_eq!(early_answer(&mut open).await, None);
        uploads.push(open);
    }
    // Another address does not help.
    let refused = answer(&mut open(&suite, "127.0.0.2", &upload).await).await;
    assert!(refused.starts_with("HTTP/1.1 429"), "{refused}");
    let guest = answer(&mut open(&suite, "127.0.0.1", QUICK).await).await;
    assert!(guest.starts_with("HTTP/1.1 200"), "{guest}");
}

#[tokio::test]
async fn event_streams_and_long_polls_are_counted_apart() {
    let suite = start("forwarded=4", "").await;
    let get = |path: &str| format!("GET /api/order{path} HTTP/1.1\r\nHost: x\r\n\r\n");
    // One is recognised by its answer, the other by its request.
    let mut stream = open(&suite, "127.0.0.1", &get("/v1/events")).await;
    assert!(answer(&mut stream).await.starts_with("HTTP/1.1 200"));
    let mut poll = open(&suite, "127.0.0.1", &get("/v1/poll?wait_ms=9000")).await;
    assert_eq!(early_answer(&mut poll).await, None);
    for path in ["/v1/events", "/v1/poll?wait_for=confirmed"] {
        let refused = answer(&mut open(&suite, "127.0.0.1", &get(path)).await).await;
        assert!(refused.starts_with("HTTP/1.1 429"), "{path}: {refused}");
    }
    // Requests have their own places.
    let mut uploads = Vec::new();
    for _ in 0..3 {
        uploads.push(open(&suite, "127.0.0.1", ENDLESS_UPLOAD).await);
        assert_eq!(early_answer(uploads.last_mut().unwrap()).await, None);
    }
    let quick = answer(&mut open(&suite, "127.0.0.1", QUICK).await).await;
    assert!(quick.starts_with("HTTP/1.1 200"), "{quick}");
}

#[tokio::test]
async fn a_malformed_chunk_is_the_fault_of_the_client() {
    let suite = start("off", "").await;
    let request = "POST /api/order/v1/uploads HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nnothex\r\n{}\r\n";
    let refused = answer(&mut open(&suite, "127.0.0.1", request).await).await;
    assert!(
        refused.starts_with("HTTP/1.1 400") && refused.contains("unreadable_body"),
        "{refused}"
    );
}

#[tokio::test]
async fn no_path_leaves_the_prefix_of_its_route() {
    let suite = start("off", "").await;
    let operator = suite.keys.token(&[runtime::auth::Scope::Ops]);
    for path in [
        "/ops/dead-letters/order/%2e%2e/quick",
        "/ops/dead-letters/order/%2E./quick",
        "/api/order/%2e%2e/v1/quick",
        "/api/order/v1/../v1/quick",
    ] {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {operator}\r\nConnection: close\r\n\r\n"
        );
        let refused = answer(&mut open(&suite, "127.0.0.1", &request).await).await;
        assert!(refused.starts_with("HTTP/1.1 400"), "{path}: {refused}");
        assert!(refused.contains("invalid_path"), "{path}: {refused}");
    }
}

#[tokio::test]
async fn internal_routes_are_no_part_of_the_shop() {
    let upstream = Router::new().fallback(async || "reached");
    let suite = Suite::with_upstream(upstream).await;
    for path in ["/metrics", "/ops/topology", "/v1/export", "/v1/snapshots/product", "/%6detrics"] {
        let response = suite.get(&format!("/api/order{path}")).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(response.json::<Value>().await.unwrap()["code"], "route_not_found", "{path}");
    }
    let response = suite.get("/api/order/v1/products").send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), "reached");
}

#[tokio::test]
async fn identities_are_limited_per_address_and_renewals_are_not() {
    let suite = start("sessions=2", "127.0.0.9").await;
    let client_at = |address: &str| {
        Client::builder().no_proxy().local_address(address.parse().ok()).build().unwrap()
    };
    let (proxy, direct) = (client_at("127.0.0.9"), client_at("127.0.0.1"));
    let url = format!("{}/session", suite.url);
    let behind_proxy = async |address: &str| {
        let request = proxy.post(&url).header("x-forwarded-for", address);
        request.send().await.unwrap()
    };
    for _ in 0..2 {
        let created = behind_proxy("203.0.113.1").await;
        assert_eq!(created.status(), StatusCode::OK);
    }
    let first: Identity = behind_proxy("203.0.113.2").await.json().await.unwrap();
    let refused = behind_proxy("203.0.113.1").await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.headers().contains_key("retry-after"));
    assert_eq!(refused.json::<Value>().await.unwrap()["code"], "too_many_sessions");
    // A customer of the exhausted address continues.
    for _ in 0..4 {
        let renewal = proxy.post(&url).header("x-forwarded-for", "203.0.113.1");
        let renewed = renewal.bearer_auth(&first.renewal).send().await.unwrap();
        assert_eq!(renewed.status(), StatusCode::OK);
    }
    // Without the proxy nothing changes the address.
    for (number, status) in [(1, 200), (2, 200), (3, 429)] {
        let request = direct.post(&url).header("x-forwarded-for", format!("198.51.100.{number}"));
        assert_eq!(request.send().await.unwrap().status(), status);
    }
}
