//! The internal listener: what is open there, and on no other address.

use std::{net::SocketAddr, time::Duration};

use axum::http::StatusCode;
use reqwest::Client;
use runtime::{
    Lifecycle,
    auth::{Scope, SigningKey, mint},
    config,
    health::Health,
    http::{self, ReadAccess},
};
use testkit::TestAuthority;
use tls::{
    ClientTls,
    http::{HttpClient, Timeouts, read_success},
};
use tokio::{io::AsyncReadExt as _, net::TcpStream};
use tokio_util::sync::DropGuard;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{DEADLINE, SERVICE, soon};

struct Server {
    public: SocketAddr,
    internal: SocketAddr,
    key: SigningKey,
    _guard: DropGuard,
}

impl Server {
    async fn start(limits: config::Http, tls: &config::Tls) -> Server {
        let lifecycle = Lifecycle::new(Duration::from_secs(1));
        let config = config::Http { internal_addr: Some(([127, 0, 0, 1], 0).into()), ..limits };
        let (health, key) = (Health::new(&lifecycle), SigningKey::generate().unwrap());
        let verifier = key.verifier();
        let routes = OpenApiRouter::new().routes(routes!(get_snapshot)).routes(routes!(get_secret));
        let routes = routes.routes(routes!(get_stock)).with_state(verifier.clone());
        let router = http::router(&SERVICE, routes, &health, &lifecycle, &config, Some(&verifier));
        let served = http::serve_with_tls(&lifecycle, &config, tls, &health, router).await.unwrap();
        let (public, internal) = (served.http, served.internal.unwrap());
        Server { public, internal, key, _guard: lifecycle.hard().drop_guard() }
    }

    /// The status of a request, with a token that has these scopes.
    async fn status(&self, address: SocketAddr, path: &str, scopes: Option<&[Scope]>) -> u16 {
        let client = Client::builder().no_proxy().build().unwrap();
        let mut request = client.get(format!("http://{address}{path}"));
        if let Some(scopes) = scopes {
            let token = mint(&self.key, "somebody", scopes, Duration::from_mins(1)).unwrap();
            request = request.bearer_auth(token);
        }
        soon(request.send()).await.unwrap().status().as_u16()
    }
}

fn defaults() -> config::Http {
    config::Http::at(([127, 0, 0, 1], 0).into())
}

#[utoipa::path(get, path = "/v1/snapshot", responses((status = 204)),
               security(("bearer" = ["ops"])), extensions(("x-open-at-internal-addr" = json!(true))))]
async fn get_snapshot(access: ReadAccess) -> Result<StatusCode, problem::Problem> {
    access.require(Scope::Ops)?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(get, path = "/v1/secret", responses((status = 204)), security(("bearer" = ["ops"])))]
async fn get_secret() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// The body tells whether the caller may read more than the public.
#[utoipa::path(get, path = "/v1/stock", responses((status = 200, body = bool)),
               security((), ("bearer" = ["stock:write"])))]
async fn get_stock(access: ReadAccess) -> axum::Json<bool> {
    axum::Json(access.has(Scope::StockWrite))
}

#[tokio::test]
async fn internal_reads_are_open_at_the_internal_listener() {
    let server = Server::start(defaults(), &config::Tls::default()).await;
    let (public, internal) = (server.public, server.internal);
    for path in ["/metrics", "/v1/snapshot"] {
        assert_eq!(server.status(public, path, None).await, 401, "{path}");
        assert_eq!(server.status(public, path, Some(&[Scope::OrdersAdmin])).await, 403, "{path}");
        assert!(server.status(public, path, Some(&[Scope::Ops])).await < 300, "{path}");
        assert!(server.status(internal, path, None).await < 300, "{path}");
    }
    // What operators may do needs a token everywhere.
    for address in [public, internal] {
        assert_eq!(server.status(address, "/v1/secret", None).await, 401);
        assert_eq!(server.status(address, "/v1/secret", Some(&[Scope::Ops])).await, 204);
    }
    // A client cannot claim to be internal.
    let client = Client::builder().no_proxy().build().unwrap();
    let claim = client.get(format!("http://{public}/metrics")).header("host", internal.to_string());
    assert_eq!(soon(claim.send()).await.unwrap().status().as_u16(), 401);
}

#[tokio::test]
async fn a_scope_shows_more_of_a_public_route() {
    let server = Server::start(defaults(), &config::Tls::default()).await;
    let shown = async |address: SocketAddr, scopes: &[Scope]| {
        let client = Client::builder().no_proxy().build().unwrap();
        let token = mint(&server.key, "somebody", scopes, Duration::from_mins(1)).unwrap();
        let request = client.get(format!("http://{address}/v1/stock")).bearer_auth(token);
        soon(request.send()).await.unwrap().json::<bool>().await.unwrap()
    };
    assert_eq!(server.status(server.public, "/v1/stock", None).await, 200);
    assert!(!shown(server.public, &[Scope::Ops]).await);
    assert!(shown(server.public, &[Scope::StockWrite]).await);
    assert!(shown(server.internal, &[]).await);
}

#[tokio::test]
async fn public_clients_leave_internal_connections_alone() {
    let limits = config::Http { connections: 1, ..defaults() };
    let server = Server::start(limits, &config::Tls::default()).await;
    // The only connection of the public listener.
    let mut idle = TcpStream::connect(server.public).await.unwrap();
    assert_eq!(server.status(server.internal, "/metrics", None).await, 200);
    let mut byte = [0];
    let read = tokio::time::timeout(Duration::ZERO, idle.read(&mut byte)).await;
    assert!(read.is_err(), "the connection is still open");
}

#[tokio::test]
async fn the_internal_listener_uses_tls_like_the_public_one() {
    let authority = TestAuthority::create().unwrap();
    let files = authority.issue("order", &["127.0.0.1"], true).unwrap();
    let tls = config::Tls {
        certificate_file: Some(files.certificate.clone()),
        key_file: Some(files.key.clone()),
        ..config::Tls::default()
    };
    let limits = config::Http { https_addr: Some(([127, 0, 0, 1], 0).into()), ..defaults() };
    let server = Server::start(limits, &tls).await;
    let trusted = ClientTls::open(&authority.client_files()).unwrap();
    let timeouts = Timeouts { connect: DEADLINE, read: Some(DEADLINE), idle: Duration::ZERO };
    let client: HttpClient = HttpClient::new(Some(trusted), timeouts);
    let answer = client.get(&format!("https://{}/metrics", server.internal)).await.unwrap();
    assert!(!read_success(answer).await.unwrap().is_empty());
    let plain = Client::builder().no_proxy().build().unwrap();
    assert!(soon(plain.get(format!("http://{}/metrics", server.internal)).send()).await.is_err());
}
