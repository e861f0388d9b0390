//! Accepting connections, and draining them at shutdown.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{Extension, Router, extract::ConnectInfo};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tls::{ServerTls, TlsError};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tower::{Layer as _, ServiceExt as _};

use super::{
    certificate,
    head_deadline::{HeadDeadline, Requests},
    internal::Internal,
};
use crate::{clients::counted, config, health::Health, lifecycle::Lifecycle, telemetry};

/// How long a connection may be idle between two requests. Clients keep idle connections for 60 or 90 seconds. If the server closed them
/// first, a client could send a request into a connection that is just being closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(100);

/// The pause after a failed accept, for example without free file descriptors.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// The HTTP server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("cannot listen on {0}")]
    Listen(SocketAddr, #[source] io::Error),
    #[error("HTTPS_ADDR needs TLS_CERTIFICATE_FILE and TLS_KEY_FILE")]
    NoCertificate,
    #[error("the certificate of the server cannot be used")]
    Certificate(#[from] TlsError),
}

/// The addresses on which a server listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    pub http: SocketAddr,
    pub https: Option<SocketAddr>,
    pub internal: Option<SocketAddr>,
}

/// Serves `router` on the configured address as a task of `lifecycle`; returns the bound address.
///
/// At shutdown it stops accepting and closes each connection after its current request. Connections that are left at
/// the hard stop are dropped.
pub async fn serve(
    lifecycle: &Lifecycle,
    config: &config::Http,
    router: Router,
) -> Result<SocketAddr, ServeError> {
    let (plain, http) = bind(config.addr).await?;
    listen(lifecycle, config, Listeners { plain: Some(plain), encrypted: None }, router);
    tracing::info!(address = %http, "listening");
    Ok(http)
}

/// As [`serve`], and also over TLS if `HTTPS_ADDR` is set. Both share the bounds of connections.
///
/// The certificate is read again while the program runs. `health` gets the component `certificate`.
///
/// If `INTERNAL_ADDR` is set, it serves the router there as well, with bounds of its own, and marks the requests for
/// [`ReadAccess`](super::ReadAccess). So clients of the public addresses cannot take its connections.
pub async fn serve_with_tls(
    lifecycle: &Lifecycle,
    config: &config::Http,
    tls: &config::Tls,
    health: &Health,
    router: Router,
) -> Result<Addresses, ServeError> {
    let tls = match config.https_addr {
        Some(_) => Some(tls.server(config)?.ok_or(ServeError::NoCertificate)?),
        None => None,
    };
    let (plain, http) = bind(config.addr).await?;
    let mut listeners = Listeners { plain: Some(plain), encrypted: None };
    let mut https = None;
    if let Some((address, tls)) = config.https_addr.zip(tls.clone()) {
        let (encrypted, bound) = bind(address).await?;
        certificate::watch(lifecycle, health, tls.clone());
        listeners.encrypted = Some((encrypted, tls));
        https = Some(bound);
    }
    let mut internal = None;
    if let Some(address) = config.internal_addr {
        let (listener, bound) = bind(address).await?;
        let listeners = match tls {
            Some(tls) => Listeners { plain: None, encrypted: Some((listener, tls)) },
            None => Listeners { plain: Some(listener), encrypted: None },
        };
        accept_until_shutdown(
            lifecycle,
            config,
            listeners,
            router.clone().layer(Extension(Internal)),
        );
        internal = Some(bound);
    }
    listen(lifecycle, config, listeners, router);
    let shown = |address: Option<SocketAddr>| address.map(tracing::field::display);
    tracing::info!(address = %http, https = shown(https), internal = shown(internal), "listening");
    Ok(Addresses { http, https, internal })
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServeError> {
    let failed = |error| ServeError::Listen(address, error);
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

fn listen(lifecycle: &Lifecycle, config: &config::Http, listeners: Listeners, router: Router) {
    accept_until_shutdown(lifecycle, config, listeners, router);
    let stopping = lifecycle.soft();
    lifecycle.spawn("metrics upkeep", async move {
        stopping.run_until_cancelled(telemetry::metrics().upkeep()).await;
        Ok::<(), ServeError>(())
    });
}

fn accept_until_shutdown(
    lifecycle: &Lifecycle,
    config: &config::Http,
    listeners: Listeners,
    router: Router,
) {
    let (stopping, config) = (lifecycle.soft(), config.clone());
    lifecycle.spawn("http server", async move {
        accept(listeners, &config, router, stopping).await;
        Ok::<(), ServeError>(())
    });
}

/// The sockets of a server.
struct Listeners {
    plain: Option<TcpListener>,
    encrypted: Option<(TcpListener, ServerTls)>,
}

impl Listeners {
    /// The next connection, with the certificate if it is encrypted.
    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr, Option<&ServerTls>)> {
        let plain = async {
            match &self.plain {
                Some(listener) => listener.accept().await,
                None => std::future::pending().await,
            }
        };
        let encrypted = async {
            match &self.encrypted {
                Some((listener, tls)) => listener.accept().await.map(|accepted| (accepted, tls)),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            accepted = plain => accepted.map(|(stream, peer)| (stream, peer, None)),
            accepted = encrypted => accepted.map(|((stream, peer), tls)| (stream, peer, Some(tls))),
        }
    }
}

/// Accepts connections until shutdown, then waits for them. Dropping this future drops all connections.
async fn accept(
    listeners: Listeners,
    config: &config::Http,
    router: Router,
    stopping: CancellationToken,
) {
    let limit = usize::try_from(config.connections).unwrap_or(usize::MAX);
    let open = OpenConnections::default();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = stopping.cancelled() => break,
            Some(_) = connections.join_next() => {}
            accepted = listeners.accept(), if connections.len() < limit => match accepted {
                Ok((stream, peer, tls)) => {
                    // A trusted proxy connects for many clients, which it bounds itself.
                    let is_proxy = config.trusted_proxies.contains(peer.ip());
                    let bound = config.client_limits.connections.filter(|_| !is_proxy);
                    let Some(place) = open.enter(peer.ip(), bound) else {
                        metrics::counter!("http_connections_refused_total").increment(1);
                        continue;
                    };
                    let (router, head_timeout) = (router.clone(), config.head_timeout);
                    let (stopping, tls) = (stopping.clone(), tls.cloned());
                    connections.spawn(async move {
                        let served = Served { peer, router, head_timeout, stopping };
                        served.open(stream, tls).await;
                        drop(place);
                    });
                }
                Err(error) if is_client_disconnect(&error) => {}
                Err(error) => {
                    tracing::error!(error = %error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
                }
            }
        }
    }
    drop(listeners);
    tracing::info!(connections = connections.len(), "draining connections");
    while connections.join_next().await.is_some() {}
}

/// The open connections of each address.
#[derive(Debug, Clone, Default)]
struct OpenConnections(Arc<Mutex<HashMap<IpAddr, u32>>>);

impl OpenConnections {
    /// Counts a connection until the guard is dropped; `None` if the address has `bound` connections.
    fn enter(&self, address: IpAddr, bound: Option<NonZeroU32>) -> Option<OpenConnection> {
        let address = counted(address);
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(address).or_default();
        if bound.is_some_and(|bound| *count >= bound.get()) {
            return None;
        }
        *count += 1;
        Some(OpenConnection { all: self.clone(), address })
    }
}

/// Counts one connection.
struct OpenConnection {
    all: OpenConnections,
    address: IpAddr,
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        let mut open = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

/// Whether the client disconnected before it was accepted.
fn is_client_disconnect(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}

/// What a connection needs.
struct Served {
    peer: SocketAddr,
    router: Router,
    head_timeout: Duration,
    stopping: CancellationToken,
}

impl Served {
    /// Serves a connection. A handshake has the time of a head.
    async fn open(self, stream: TcpStream, tls: Option<ServerTls>) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(error = %error, "the connection was closed before the first request");
            return;
        }
        let Some(tls) = tls else { return self.serve(stream).await };
        let handshake = timeout(self.head_timeout, tls.acceptor().accept(stream));
        let accepted = self.stopping.run_until_cancelled(handshake).await;
        let reason = match accepted {
            Some(Ok(Ok(stream))) => return self.serve(stream).await,
            Some(Ok(Err(error))) => {
                tracing::debug!(error = %error, peer = %self.peer, "a TLS handshake failed");
                "failed"
            }
            Some(Err(_)) => "timeout",
            None => return,
        };
        metrics::counter!("tls_handshakes_refused_total", "reason" => reason).increment(1);
    }

    async fn serve(self, stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) {
        let mut builder = Builder::new(TokioExecutor::new()).http1_only();
        builder.http1().timer(TokioTimer::new()).header_read_timeout(IDLE_TIMEOUT);
        let requests = Requests::default();
        let stream = HeadDeadline::new(stream, self.head_timeout, requests.clone());
        let (begun, ended) = (requests.clone(), requests);
        // The extension that axum's own server sets.
        let service = Extension(ConnectInfo(self.peer)).layer(self.router);
        let service = service
            .map_request(move |request| begun.begin(request))
            .map_response(move |answer| ended.end_with(answer));
        let service = TowerToHyperService::new(service);
        let serving = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
        let mut serving = std::pin::pin!(serving);
        let result = tokio::select! {
            result = &mut serving => result,
            () = self.stopping.cancelled() => {
                serving.as_mut().graceful_shutdown();
                serving.await
            }
        };
        if let Err(error) = result {
            tracing::debug!(error = error.to_string(), "connection failed");
        }
    }
}
