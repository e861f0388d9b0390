//! Bounds per client, over real connections from several addresses of the loopback network.

use std::{net::SocketAddr, time::Duration};

use axum::{extract::Extension, routing::get};
use reqwest::{Client, StatusCode};
use runtime::{
    Lifecycle,
    auth::{Scope, SigningKey, mint},
    clients, config,
    health::Health,
    http,
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};
use tokio_util::sync::DropGuard;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{SERVICE, soon};

/// A server that stops when the test ends.
struct Server {
    address: SocketAddr,
    key: SigningKey,
    _guard: DropGuard,
}

/// Who the handler believes the client to be.
async fn client(Extension(client): Extension<clients::Client>) -> String {
    client.address.map(|address| address.to_string()).unwrap_or_default()
}

#[utoipa::path(post, path = "/v1/secrets", request_body = Value, responses((status = 204)),
               security(("bearer" = ["ops"])))]
async fn tell_secret(problem::Json(_body): problem::Json<Value>) -> StatusCode {
    StatusCode::NO_CONTENT
}

impl Server {
    /// Starts with these figures of the limits.
    async fn start(limits: &str, trusted_proxies: &str) -> Server {
        let lifecycle = Lifecycle::new(Duration::from_secs(1));
        let config = config::Http {
            client_limits: limits.parse().unwrap(),
            trusted_proxies: trusted_proxies.parse().unwrap(),
            ..config::Http::at(([127, 0, 0, 1], 0).into())
        };
        let routes =
            OpenApiRouter::new().route("/client", get(client)).routes(routes!(tell_secret));
        let (health, key) = (Health::new(&lifecycle), SigningKey::generate().unwrap());
        let verifier = key.verifier();
        let router = http::router(&SERVICE, routes, &health, &lifecycle, &config, Some(&verifier));
        let address = http::serve(&lifecycle, &config, router).await.unwrap();
        Server { address, key, _guard: lifecycle.hard().drop_guard() }
    }

    fn url(&self) -> String {
        format!("http://{}/client", self.address)
    }

    fn token(&self, subject: &str) -> String {
        mint(&self.key, subject, &[Scope::OrdersRead], Duration::from_mins(1)).unwrap()
    }

    /// The statuses of requests, one after the other.
    async fn statuses(
        &self,
        count: u32,
        request: impl Fn() -> reqwest::RequestBuilder,
    ) -> Vec<u16> {
        let mut statuses = Vec::new();
        for _ in 0..count {
            statuses.push(soon(request().send()).await.unwrap().status().as_u16());
        }
        statuses
    }

    async fn connect_from(&self, address: &str) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(format!("{address}:0").parse().unwrap()).unwrap();
        let mut stream = socket.connect(self.address).await.unwrap();
        stream.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        stream
    }
}

/// A client at an address of the loopback network.
fn client_at(address: &str) -> Client {
    let client = Client::builder().no_proxy().local_address(address.parse().ok());
    client.build().unwrap()
}

/// Whether the server answers, and does not close the connection.
async fn is_served(stream: &mut TcpStream) -> bool {
    let mut bytes = [0; 12];
    soon(stream.read_exact(&mut bytes)).await.is_ok_and(|_| bytes.starts_with(b"HTTP/1.1 200"))
}

#[tokio::test]
async fn requests_of_an_address_are_limited() {
    let server = Server::start("address=1", "").await;
    let client = client_at("127.0.0.1");
    let statuses = server.statuses(4, || client.get(server.url())).await;
    assert_eq!(statuses, [200; 4], "four at once");
    let refused = client.get(server.url()).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.headers()["retry-after"], "1");
    assert_eq!(refused.headers()["content-type"], "application/problem+json");
    let problem: Value = refused.json().await.unwrap();
    assert_eq!(problem["code"], "too_many_requests");

    // An invalid token is none. Health checks and other addresses are not affected.
    let forged = client.get(server.url()).bearer_auth("a.b.c").send().await.unwrap();
    assert_eq!(forged.status(), StatusCode::TOO_MANY_REQUESTS);
    let live = format!("http://{}/health/live", server.address);
    assert_eq!(client.get(live).send().await.unwrap().status(), StatusCode::OK);
    let other = client_at("127.0.0.2");
    assert_eq!(server.statuses(4, || other.get(server.url())).await, [200; 4]);

    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(server.statuses(1, || client.get(server.url())).await, [200]);
}

#[tokio::test]
async fn requests_of_a_principal_are_limited_wherever_sent() {
    let server = Server::start("principal=1,address=1", "").await;
    let (here, there) = (client_at("127.0.0.1"), client_at("127.0.0.2"));
    let (first, second) = (server.token("first"), server.token("second"));
    let as_first = || here.get(server.url()).bearer_auth(&first);
    assert_eq!(server.statuses(5, as_first).await, [200, 200, 200, 200, 429]);
    let elsewhere = || there.get(server.url()).bearer_auth(&first);
    assert_eq!(server.statuses(1, elsewhere).await, [429]);
    // Another customer at the same address is not affected, and neither is a guest.
    let as_second = || here.get(server.url()).bearer_auth(&second);
    assert_eq!(server.statuses(4, as_second).await, [200; 4]);
    assert_eq!(server.statuses(4, || here.get(server.url())).await, [200; 4]);
}

#[tokio::test]
async fn only_a_trusted_proxy_names_the_client() {
    let server = Server::start("address=1", "127.0.0.9").await;
    let request = async |from: &str, forwarded: &str| {
        let request = client_at(from).get(server.url()).header("x-forwarded-for", forwarded);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    // Invented clients share the allowance of their address.
    for number in 1..=4 {
        let (status, client) = request("127.0.0.1", &format!("198.51.100.{number}")).await;
        assert_eq!((status, client.as_str()), (200, "127.0.0.1"));
    }
    assert_eq!(request("127.0.0.1", "198.51.100.5").await.0, 429);
    // Behind the proxy each client has its own, whatever the client itself has sent.
    for number in 1..=8 {
        let client = format!("203.0.113.{number}");
        let answer = request("127.0.0.9", &format!("198.51.100.1, {client}")).await;
        assert_eq!(answer, (200, client));
    }
    for _ in 0..3 {
        assert_eq!(request("127.0.0.9", "203.0.113.1").await.0, 200);
    }
    assert_eq!(request("127.0.0.9", "203.0.113.1").await.0, 429);
}

#[tokio::test]
async fn connections_of_an_address_are_bounded() {
    let server = Server::start("connections=3", "127.0.0.9").await;
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut stream = server.connect_from("127.0.0.1").await;
        assert!(is_served(&mut stream).await);
        open.push(stream);
    }
    assert!(!is_served(&mut server.connect_from("127.0.0.1").await).await);
    assert!(is_served(&mut server.connect_from("127.0.0.2").await).await);
    // A trusted proxy connects for many clients.
    for _ in 0..6 {
        let mut stream = server.connect_from("127.0.0.9").await;
        assert!(is_served(&mut stream).await);
        open.push(stream);
    }
    open.remove(0);
    // The server soon sees that a connection was closed.
    soon(async {
        while !is_served(&mut server.connect_from("127.0.0.1").await).await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn scopes_are_checked_before_the_body() {
    let server = Server::start("off", "").await;
    let url = format!("http://{}/v1/secrets", server.address);
    let post = |body: &'static str| {
        let request = client_at("127.0.0.1").post(&url).header("content-type", "application/json");
        request.body(body)
    };
    let status =
        async |request: reqwest::RequestBuilder| request.send().await.unwrap().status().as_u16();
    assert_eq!(status(post("{")).await, 401);
    assert_eq!(status(post("{").bearer_auth("a.b.c")).await, 401);
    assert_eq!(status(post("{").bearer_auth(server.token("first"))).await, 403);
    let operator = mint(&server.key, "operator", &[Scope::Ops], Duration::from_mins(1)).unwrap();
    assert_eq!(status(post("{").bearer_auth(&operator)).await, 400);
    assert_eq!(status(post("{}").bearer_auth(&operator)).await, 204);
}
