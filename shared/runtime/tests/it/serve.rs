//! Connections over a real network: accepting, limiting and draining them.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::routing::get;
use futures::StreamExt as _;
use runtime::{Lifecycle, config, health::Health, http};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::Notify,
    task::JoinHandle,
};
use utoipa_axum::router::OpenApiRouter;

use crate::{SERVICE, in_background, soon};

const HOUR: Duration = Duration::from_hours(1);

/// A server with a quick route, a route that waits for the test, and an endless stream.
struct Server {
    address: SocketAddr,
    lifecycle: Lifecycle,
    entered: Arc<Notify>,
    let_go: Arc<Notify>,
}

impl Server {
    async fn start(connections: u32, shutdown_timeout: Duration) -> Server {
        let lifecycle = Lifecycle::new(shutdown_timeout);
        let (entered, let_go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let routes = OpenApiRouter::new()
            .route("/quick", get(async || "quick"))
            .route(
                "/waiting",
                get({
                    let (entered, let_go) = (entered.clone(), let_go.clone());
                    async move || {
                        entered.notify_one();
                        let_go.notified().await;
                        "let go"
                    }
                }),
            )
            .route(
                "/events",
                get(async || {
                    let first = futures::stream::iter([Ok::<_, std::io::Error>("data: 1\n\n")]);
                    let body =
                        axum::body::Body::from_stream(first.chain(futures::stream::pending()));
                    ([("content-type", "text/event-stream")], body)
                }),
            );
        let config = config::Http { connections, ..config::Http::at(([127, 0, 0, 1], 0).into()) };
        let health = Health::new(&lifecycle);
        let face = http::router(&SERVICE, routes, &health, &lifecycle, &config, None);
        let address = http::serve(&lifecycle, &config, face).await.unwrap();
        Server { address, lifecycle, entered, let_go }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A request that waits in its handler.
    async fn request_in_progress(&self) -> JoinHandle<reqwest::Result<reqwest::Response>> {
        let request = in_background(reqwest::get(self.url("/waiting")));
        soon(self.entered.notified()).await;
        request
    }

    /// A kept-alive connection after one request.
    async fn idle_connection(&self) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(b"GET /quick HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\nquick") {
            assert_ne!(soon(stream.read_buf(&mut answer)).await.unwrap(), 0);
        }
        stream
    }
}

/// Reads until the other side closes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut rest = Vec::new();
    soon(stream.read_to_end(&mut rest)).await.unwrap();
    String::from_utf8(rest).unwrap()
}

#[tokio::test]
async fn shutdown_finishes_requests_and_closes_idle_ones() {
    let server = Server::start(100, HOUR).await;
    let mut idle = server.idle_connection().await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    let in_hand = server.request_in_progress().await;

    server.lifecycle.shutdown();
    let mut ended = std::pin::pin!(server.lifecycle.run_until_shutdown());
    assert_eq!(read_to_end_while(&mut idle, &mut ended).await, "");
    assert_eq!(read_to_end_while(&mut silent, &mut ended).await, "");
    let refused = TcpStream::connect(server.address).await;
    assert_eq!(refused.unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);

    server.let_go.notify_one();
    soon(ended).await;
    let answer = soon(in_hand).await.unwrap().unwrap();
    assert_eq!(answer.headers()["connection"], "close");
    assert_eq!(answer.text().await.unwrap(), "let go");
}

/// Reads a stream to its end while the process stops; the process must not end first.
async fn read_to_end_while(stream: &mut TcpStream, ending: &mut (impl Future + Unpin)) -> String {
    tokio::select! {
        rest = rest(stream) => rest,
        _ = ending => panic!("it ended while a request was in hand"),
    }
}

#[tokio::test]
async fn the_hard_stop_drops_unfinished_requests() {
    let server = Server::start(100, Duration::from_millis(50)).await;
    let in_hand = server.request_in_progress().await;
    server.lifecycle.shutdown();
    soon(server.lifecycle.run_until_shutdown()).await;
    assert!(soon(in_hand).await.unwrap().is_err());
}

#[tokio::test]
async fn event_streams_do_not_delay_shutdown() {
    let server = Server::start(100, HOUR).await;
    let mut answer = soon(reqwest::get(server.url("/events"))).await.unwrap();
    assert_eq!(soon(answer.chunk()).await.unwrap().unwrap(), "data: 1\n\n");
    server.lifecycle.shutdown();
    assert_eq!(soon(answer.chunk()).await.unwrap(), None);
    soon(server.lifecycle.run_until_shutdown()).await;
}

#[tokio::test]
async fn connections_over_the_limit_wait() {
    let server = Server::start(1, HOUR).await;
    let first = server.idle_connection().await;
    let mut second = TcpStream::connect(server.address).await.unwrap();
    second.write_all(b"GET /quick HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut byte = [0];
    let early = tokio::time::timeout(Duration::from_millis(100), second.peek(&mut byte)).await;
    assert!(early.is_err(), "the second was served beside the first");
    drop(first);
    assert!(rest(&mut second).await.ends_with("quick"));
    server.lifecycle.abort();
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let server = Server::start(1, HOUR).await;
    let config = config::Http::at(server.address);
    let error = http::serve(&server.lifecycle, &config, axum::Router::new()).await.unwrap_err();
    assert_eq!(error.to_string(), format!("cannot listen on {}", server.address));
    server.lifecycle.abort();
}

#[tokio::test]
async fn bytes_that_are_not_http_do_no_harm() {
    let server = Server::start(100, HOUR).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"\x16\x03\x01\x02\x00garbage\r\n\r\n").await.unwrap();
    let answer = rest(&mut stream).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    drop(server.idle_connection().await);
    server.lifecycle.abort();
}
