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
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tower::Layer as _;

use crate::{clients::counted, config, lifecycle::Lifecycle, telemetry};

/// The pause after a failed accept, for example without free file descriptors.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// The HTTP server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("cannot listen on {0}")]
    Listen(SocketAddr, #[source] io::Error),
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
    let listen_error = |error| ServeError::Listen(config.addr, error);
    let listener = TcpListener::bind(config.addr).await.map_err(listen_error)?;
    let address = listener.local_addr().map_err(listen_error)?;
    let (stopping, config) = (lifecycle.soft(), config.clone());
    lifecycle.spawn("http server", async move {
        accept(listener, &config, router, stopping).await;
        Ok::<(), ServeError>(())
    });
    let stopping = lifecycle.soft();
    lifecycle.spawn("metrics upkeep", async move {
        stopping.run_until_cancelled(telemetry::metrics().upkeep()).await;
        Ok::<(), ServeError>(())
    });
    tracing::info!(%address, "listening");
    Ok(address)
}

/// Accepts connections until shutdown, then waits for them. Dropping this future drops all connections.
async fn accept(
    listener: TcpListener,
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
            accepted = listener.accept(), if connections.len() < limit => match accepted {
                Ok((stream, peer)) => {
                    // A trusted proxy connects for many clients, which it bounds itself.
                    let is_proxy = config.trusted_proxies.contains(peer.ip());
                    let bound = config.client_limits.connections.filter(|_| !is_proxy);
                    let Some(place) = open.enter(peer.ip(), bound) else {
                        metrics::counter!("http_connections_refused_total").increment(1);
                        continue;
                    };
                    let (router, head_timeout) = (router.clone(), config.head_timeout);
                    let stopping = stopping.clone();
                    connections.spawn(async move {
                        connection(stream, peer, router, head_timeout, stopping).await;
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
    drop(listener);
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

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    head_timeout: Duration,
    stopping: CancellationToken,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(error = %error, "the connection was closed before the first request");
        return;
    }
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(head_timeout);
    // The extension that axum's own server sets.
    let service = Extension(ConnectInfo(peer)).layer(router);
    let serving = builder
        .serve_connection_with_upgrades(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut serving = std::pin::pin!(serving);
    let result = tokio::select! {
        result = &mut serving => result,
        () = stopping.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(error = error.to_string(), "connection failed");
    }
}
