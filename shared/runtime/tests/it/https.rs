//! The TLS listener: whom clients refuse, and certificates that change while it serves.

use std::{fs, net::SocketAddr, sync::Arc, time::Duration};

use axum::routing::get;
use runtime::{
    Lifecycle, config,
    health::{Health, Status},
    http::{self, ServeError},
};
use testkit::{TestAuthority, TlsFiles, wait_for, wait_until};
use tls::{
    ClientTls, TlsError,
    http::{HttpClient, HttpError, Timeouts, read_success},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::Notify,
    time::Instant,
};
use tokio_util::sync::DropGuard;
use utoipa_axum::router::OpenApiRouter;

use crate::{DEADLINE, SERVICE, in_background, soon};

const HOSTS: [&str; 2] = ["localhost", "127.0.0.1"];

struct Server {
    http: SocketAddr,
    https: SocketAddr,
    health: Health,
    _guard: DropGuard,
}

impl Server {
    async fn try_start(files: &TlsFiles, limits: config::Http) -> Result<Server, ServeError> {
        let lifecycle = Lifecycle::new(Duration::from_secs(1));
        let config = config::Http { https_addr: Some(([127, 0, 0, 1], 0).into()), ..limits };
        let tls = config::Tls {
            certificate_file: Some(files.certificate.clone()),
            key_file: Some(files.key.clone()),
            ..config::Tls::default()
        };
        let routes = OpenApiRouter::new().route("/quick", get(async || "quick"));
        let health = Health::new(&lifecycle);
        let router = http::router(&SERVICE, routes, &health, &lifecycle, &config, None);
        let served = http::serve_with_tls(&lifecycle, &config, &tls, &health, router).await?;
        let guard = lifecycle.hard().drop_guard();
        Ok(Server { http: served.http, https: served.https.unwrap(), health, _guard: guard })
    }

    async fn start(files: &TlsFiles) -> Server {
        Server::try_start(files, defaults()).await.unwrap()
    }

    /// Why the certificate is reported.
    fn reason(&self) -> String {
        match &self.health.readiness().components["certificate"] {
            Status::Up => String::new(),
            Status::Degraded { reason, .. } | Status::Down { reason, .. } => reason.clone(),
        }
    }
}

fn defaults() -> config::Http {
    config::Http::at(([127, 0, 0, 1], 0).into())
}

/// A client that opens a connection per request.
fn client(authority: &TestAuthority) -> HttpClient {
    let tls = ClientTls::open(&authority.client_files()).unwrap();
    let (connect, read) = (Duration::from_secs(10), Some(Duration::from_secs(10)));
    HttpClient::new(Some(tls), Timeouts { connect, read, idle: Duration::ZERO })
}

async fn get_quick(client: &HttpClient, address: SocketAddr) -> Result<String, HttpError> {
    let answer = client.get(&format!("https://{address}/quick")).await?;
    Ok(String::from_utf8(read_success(answer).await?.to_vec()).unwrap())
}

/// The causes of a failed request.
async fn refusal(client: &HttpClient, address: SocketAddr) -> String {
    problem::chain(&get_quick(client, address).await.unwrap_err())
}

/// Replaces the certificate that a server uses.
fn replace(used: &TlsFiles, by: &TlsFiles) {
    for (from, to) in [(&by.key, &used.key), (&by.certificate, &used.certificate)] {
        let new = to.with_extension("new");
        fs::copy(from, &new).unwrap();
        fs::rename(&new, to).unwrap();
    }
}

/// The certificate that the server shows.
async fn shown(authority: &TestAuthority, address: SocketAddr) -> Vec<u8> {
    let config = ClientTls::open(&authority.client_files()).unwrap().config();
    let connector = tokio_rustls::TlsConnector::from(config);
    let stream = TcpStream::connect(address).await.unwrap();
    let stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

#[tokio::test]
async fn only_the_own_authority_is_trusted() {
    let (ours, foreign) = (TestAuthority::create().unwrap(), TestAuthority::create().unwrap());
    let server = Server::start(&ours.issue("console", &HOSTS, true).unwrap()).await;
    assert_eq!(soon(get_quick(&client(&ours), server.https)).await.unwrap(), "quick");
    let refused = soon(refusal(&client(&foreign), server.https)).await;
    assert!(refused.contains("check TLS_CA_FILE"), "{refused}");
    // The plain port stays plain.
    let plain = reqwest::get(format!("http://{}/quick", server.http)).await.unwrap();
    assert_eq!(plain.text().await.unwrap(), "quick");
    let without: HttpClient =
        HttpClient::new(None, Timeouts { connect: DEADLINE, read: None, idle: Duration::ZERO });
    let refused = soon(refusal(&without, server.https)).await;
    assert!(refused.contains("needs TLS_CA_FILE"), "{refused}");
    let refused = soon(refusal(&client(&ours), server.http)).await;
    assert!(refused.contains("does not speak TLS"), "{refused}");
}

#[tokio::test]
async fn a_certificate_that_has_ended_is_refused_at_the_start() {
    let ours = TestAuthority::create().unwrap();
    let ended = ours.issue("console", &HOSTS, false).unwrap();
    let error = Server::try_start(&ended, defaults()).await.err().unwrap();
    assert!(matches!(error, ServeError::Certificate(TlsError::Ended { .. })), "{error:?}");
}

#[tokio::test]
async fn half_a_handshake_is_cut_and_keeps_no_one_waiting() {
    assert_eq!(config::Http::HEAD_TIMEOUT, Duration::from_secs(10));
    let ours = TestAuthority::create().unwrap();
    let files = ours.issue("console", &HOSTS, true).unwrap();
    let head_timeout = Duration::from_secs(1);
    // One place is left.
    let limits = config::Http { head_timeout, connections: 21, ..defaults() };
    let server = Server::try_start(&files, limits).await.unwrap();
    let began = Instant::now();
    let mut halves = Vec::new();
    for _ in 0..20 {
        let mut half = TcpStream::connect(server.https).await.unwrap();
        // The head of a record of 512 bytes, and then nothing.
        half.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01]).await.unwrap();
        halves.push(half);
    }
    assert_eq!(soon(get_quick(&client(&ours), server.https)).await.unwrap(), "quick");
    assert!(began.elapsed() < head_timeout, "the client waited for the others");
    for mut half in halves {
        let mut rest = Vec::new();
        // Closed, or reset because of unread bytes.
        let _ = soon(half.read_to_end(&mut rest)).await;
    }
    assert!(began.elapsed() >= head_timeout && began.elapsed() < Duration::from_secs(15));
}

#[tokio::test]
async fn handshakes_count_as_connections_of_their_address() {
    let ours = TestAuthority::create().unwrap();
    let files = ours.issue("console", &HOSTS, true).unwrap();
    let limits = config::Http { client_limits: "connections=2".parse().unwrap(), ..defaults() };
    let server = Server::try_start(&files, limits).await.unwrap();
    let _first = TcpStream::connect(server.https).await.unwrap();
    let _second = TcpStream::connect(server.http).await.unwrap();
    wait_for("the third connection is refused", DEADLINE, async || {
        match get_quick(&client(&ours), server.https).await {
            Ok(_) => Err("it is served"),
            Err(_) => Ok(()),
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn certificates_change_while_requests_flow() {
    let ours = TestAuthority::create().unwrap();
    let used = ours.issue("console", &HOSTS, true).unwrap();
    // One client sends as fast as it can.
    let unlimited = config::Http { client_limits: "off".parse().unwrap(), ..defaults() };
    let server = Server::try_start(&used, unlimited).await.unwrap();
    let first = shown(&ours, server.https).await;
    let (stop, https) = (Arc::new(Notify::new()), server.https);
    let requests = in_background({
        let (client, stop) = (client(&ours), stop.clone());
        async move {
            let mut served = 0_u32;
            loop {
                tokio::select! {
                    biased;
                    () = stop.notified() => return served,
                    answer = get_quick(&client, https) => {
                        assert_eq!(answer.map_err(|error| problem::chain(&error)), Ok("quick".to_owned()));
                        served += 1;
                    }
                }
            }
        }
    });
    // A connection from before, which is idle.
    let mut kept = TcpStream::connect(server.http).await.unwrap();
    kept.write_all(b"GET /quick HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut first_answer = Vec::new();
    while !first_answer.ends_with(b"quick") {
        assert_ne!(soon(kept.read_buf(&mut first_answer)).await.unwrap(), 0);
    }

    // One that has ended, and one whose key is of another: the former one stays.
    let key = ours.issue("third", &HOSTS, true).unwrap().key;
    let mixed = TlsFiles { key, ..ours.issue("fourth", &HOSTS, true).unwrap() };
    let mut current = first;
    for bad in [ours.issue("ended", &HOSTS, false).unwrap(), mixed] {
        replace(&used, &bad);
        wait_until("the new certificate is refused", DEADLINE, async || {
            server.reason().contains("is refused")
        })
        .await
        .unwrap();
        assert_eq!(shown(&ours, server.https).await, current);

        replace(&used, &ours.issue("good", &HOSTS, true).unwrap());
        wait_until("the new certificate is used", DEADLINE, async || {
            shown(&ours, server.https).await != current
        })
        .await
        .unwrap();
        wait_until("it is reported", DEADLINE, async || {
            // It ends within 30 days.
            server.reason().contains("ends on")
        })
        .await
        .unwrap();
        current = shown(&ours, server.https).await;
    }
    stop.notify_one();
    assert!(soon(requests).await.unwrap() > 0);
    kept.write_all(b"GET /quick HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    soon(kept.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
