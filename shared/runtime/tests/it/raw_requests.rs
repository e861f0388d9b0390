//! Requests as an attacker writes them: byte by byte, over a real connection.

use std::{net::SocketAddr, time::Duration};

use axum::{
    body::Bytes,
    extract::DefaultBodyLimit,
    routing::{get, post},
};
use problem::{Json, Problem};
use runtime::{
    Lifecycle,
    auth::{Scope, SigningKey, mint},
    config,
    health::Health,
    http,
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::Instant,
};
use tokio_util::sync::DropGuard;
use utoipa_axum::router::OpenApiRouter;

use crate::{SERVICE, soon};

/// A server that stops when the test ends.
struct Server {
    address: SocketAddr,
    key: SigningKey,
    _guard: DropGuard,
}

impl Server {
    async fn start(config: config::Http) -> Server {
        let lifecycle = Lifecycle::new(Duration::from_secs(1));
        let routes = OpenApiRouter::new()
            .route("/quick", get(async || "quick"))
            .route("/refused", post(async || Problem::unauthorized("Never reads the body.")))
            .route("/length", post(async |body: Bytes| body.len().to_string()))
            .route("/json", post(async |Json(body): Json<Value>| Json(body)))
            .layer(DefaultBodyLimit::max(16 * http::BODY_LIMIT));
        let (health, key) = (Health::new(&lifecycle), SigningKey::generate().unwrap());
        let verifier = key.verifier();
        let router = http::router(&SERVICE, routes, &health, &lifecycle, &config, Some(&verifier));
        let address = http::serve(&lifecycle, &config, router).await.unwrap();
        Server { address, key, _guard: lifecycle.hard().drop_guard() }
    }

    async fn with_defaults() -> Server {
        Server::start(config::Http::at(([127, 0, 0, 1], 0).into())).await
    }

    async fn connect(&self) -> Connection {
        Connection(TcpStream::connect(self.address).await.unwrap())
    }

    /// The answer to the only request of a connection.
    async fn answer(&self, request: &str) -> String {
        let mut connection = self.connect().await;
        connection.write(request).await;
        connection.rest().await
    }
}

struct Connection(TcpStream);

impl Connection {
    async fn write(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// Reads until the text ends like this.
    async fn read_until(&mut self, end: &str) -> String {
        let mut read = Vec::new();
        while !read.ends_with(end.as_bytes()) {
            let count = soon(self.0.read_buf(&mut read)).await.unwrap();
            assert_ne!(count, 0, "closed after {}", String::from_utf8_lossy(&read));
        }
        String::from_utf8(read).unwrap()
    }

    /// Reads until the other side closes.
    async fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        // After the answer the other side may reset the connection.
        let _ = soon(self.0.read_to_end(&mut rest)).await;
        String::from_utf8(rest).unwrap()
    }
}

const QUICK: &str = "GET /quick HTTP/1.1\r\nHost: x\r\n\r\n";

#[tokio::test]
async fn invented_methods_share_one_label() {
    let server = Server::with_defaults().await;
    for number in 0..3 {
        let method = format!("INVENTED{number}{}", "X".repeat(10_000));
        let request = format!("{method} /quick HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        assert!(server.answer(&request).await.starts_with("HTTP/1.1 405"));
    }
    let token = mint(&server.key, "operator", &[Scope::Ops], Duration::from_mins(1)).unwrap();
    let head = format!("Host: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n");
    let metrics = server.answer(&format!("GET /metrics HTTP/1.1\r\n{head}\r\n")).await;
    assert!(!metrics.contains("INVENTED"), "{} bytes of metrics", metrics.len());
    let other = "http_requests_total{method=\"other\",route=\"/quick\",status=\"405\"} 3";
    assert!(metrics.contains(other));
}

#[tokio::test]
async fn a_slow_head_ends_its_connection() {
    assert_eq!(config::Http::HEAD_TIMEOUT, Duration::from_secs(10));
    let config = config::Http::at(([127, 0, 0, 1], 0).into());
    let head_timeout = Duration::from_secs(1);
    let server = Server::start(config::Http { head_timeout, ..config }).await;
    let (mut connection, began) = (server.connect().await, Instant::now());
    connection.write("GET /quick HTTP/1.1\r\nHost: x\r\n").await;
    // A byte now and then does not extend the time.
    let dripping = async {
        loop {
            if connection.0.write_all(b"A: b\r\n").await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    soon(dripping).await;
    assert!(began.elapsed() >= head_timeout && began.elapsed() < Duration::from_secs(15));
}

#[tokio::test]
async fn idle_connections_outlive_the_deadline_of_a_head() {
    let config = config::Http::at(([127, 0, 0, 1], 0).into());
    let head_timeout = Duration::from_millis(300);
    let server = Server::start(config::Http { head_timeout, ..config }).await;
    let mut connection = server.connect().await;
    for _ in 0..2 {
        connection.write(QUICK).await;
        connection.read_until("quick").await;
        tokio::time::sleep(head_timeout * 3).await;
    }
    // The next head has its own deadline.
    connection.write("GET /quick HTTP/1.1\r\n").await;
    assert_eq!(connection.rest().await, "");

    // So has the head after a long request.
    let mut connection = server.connect().await;
    connection.write("POST /json HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{").await;
    tokio::time::sleep(head_timeout * 3).await;
    connection.write("}").await;
    connection.read_until("}").await;
    connection.write("GET /quick HTTP/1.1\r\n").await;
    assert_eq!(connection.rest().await, "");
    // And a connection without a request.
    assert_eq!(server.connect().await.rest().await, "");
}

#[tokio::test]
async fn a_slow_body_is_408() {
    let server = Server::with_defaults().await;
    let began = Instant::now();
    let mut connection = server.connect().await;
    connection
        .write("POST /json HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{")
        .await;
    let (mut reader, mut writer) = connection.0.split();
    let mut answer = Vec::with_capacity(4_096);
    tokio::select! {
        count = reader.read_buf(&mut answer) => assert_ne!(count.unwrap(), 0),
        () = async {
            loop {
                tokio::time::sleep(Duration::from_secs(2)).await;
                writer.write_all(b" ").await.unwrap();
            }
        } => {}
    }
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("body_too_slow"), "{answer}");
}

#[tokio::test]
async fn a_refused_body_leaves_the_connection_usable() {
    let server = Server::with_defaults().await;
    for path in ["/refused", "/nothing"] {
        let mut connection = server.connect().await;
        let body = "x".repeat(200_000);
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
        // The body comes after the handler has answered.
        connection.write(&head).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        connection.write(&body).await;
        let refused = connection.read_until("}").await;
        assert!(refused.starts_with("HTTP/1.1 4") && !refused.contains("close"), "{refused}");
        connection.write(QUICK).await;
        assert!(connection.read_until("quick").await.starts_with("HTTP/1.1 200"));
    }
}

#[tokio::test]
async fn a_refused_endless_body_closes_the_connection() {
    let server = Server::with_defaults().await;
    let mut connection = server.connect().await;
    connection
        .write("POST /refused HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    connection.write("5\r\nhello\r\n").await;
    let answer = connection.rest().await;
    assert!(answer.starts_with("HTTP/1.1 401") && answer.contains("connection: close"), "{answer}");
}

#[tokio::test]
async fn a_body_that_waits_for_100_is_not_asked_for() {
    let server = Server::with_defaults().await;
    let mut connection = server.connect().await;
    connection
        .write("POST /refused HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        .await;
    let answer = connection.rest().await;
    assert!(answer.starts_with("HTTP/1.1 401") && answer.contains("connection: close"), "{answer}");
}

#[tokio::test]
async fn a_request_has_exactly_one_host() {
    let server = Server::with_defaults().await;
    for hosts in ["", "Host: a\r\nHost: b\r\n"] {
        let request = format!("GET /quick HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n");
        let answer = server.answer(&request).await;
        assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("invalid_host"), "{answer}");
    }
    let old = server.answer("GET /quick HTTP/1.0\r\n\r\n").await;
    assert!(old.starts_with("HTTP/1.0 200"), "{old}");
}

#[tokio::test]
async fn encoded_bodies_are_415() {
    let server = Server::with_defaults().await;
    let post = |encoding: &str| {
        format!(
            "POST /length HTTP/1.1\r\nHost: x\r\nContent-Encoding: {encoding}\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"
        )
    };
    let answer = server.answer(&post("gzip")).await;
    assert!(answer.starts_with("HTTP/1.1 415"), "{answer}");
    assert!(answer.contains("unsupported_content_encoding"), "{answer}");
    assert!(server.answer(&post("identity")).await.ends_with('5'));
}

#[tokio::test]
async fn a_malformed_chunk_is_400() {
    let server = Server::with_defaults().await;
    let request = "POST /json HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nnothex\r\n{}\r\n";
    let answer = server.answer(request).await;
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("unreadable_body"), "{answer}");
}
