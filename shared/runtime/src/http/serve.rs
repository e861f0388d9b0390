//! Accepting connections, and draining them at shutdown.

use std::{io, net::SocketAddr, time::Duration};

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

use crate::{config, lifecycle::Lifecycle, telemetry};

/// The longest time for the head of a request, and so the longest idle time between two requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
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
    let connections = usize::try_from(config.connections).unwrap_or(usize::MAX);
    let stopping = lifecycle.soft();
    lifecycle.spawn("http server", async move {
        accept(listener, connections, router, stopping).await;
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
async fn accept(listener: TcpListener, limit: usize, router: Router, stopping: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = stopping.cancelled() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < limit => match accepted {
                Ok((stream, peer)) => {
                    let router = router.clone();
                    connections.spawn(connection(stream, peer, router, stopping.clone()));
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
    stopping: CancellationToken,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(error = %error, "the connection was closed before the first request");
        return;
    }
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
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
