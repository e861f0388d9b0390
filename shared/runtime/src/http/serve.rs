//! Accepting connections, and letting go of them.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::{Extension, Router};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::Layer as _;

use crate::{Lifecycle, config, telemetry};

/// How long a connection may take to send the head of a request; so also how long it may idle between two of them.
const HEAD_DEADLINE: Duration = Duration::from_secs(75);
/// How long to wait when the system has no more file descriptors to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {0}")]
    Listen(SocketAddr, #[source] io::Error),
}

/// Listens on the configured address and serves `router` as a task of `lifecycle`; answers the address that it got.
///
/// When the shutdown begins it accepts no more, lets every request in hand finish, and closes each connection after it;
/// what is left at the hard end is cut off.
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

/// Accepts until the shutdown begins, then waits for the connections. They end with this future at the latest, for it
/// owns them.
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
                Err(error) if is_the_clients(&error) => {}
                Err(error) => {
                    tracing::error!(error = %error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
    drop(listener);
    tracing::info!(connections = connections.len(), "draining connections");
    while connections.join_next().await.is_some() {}
}

/// The client went away between asking and being accepted.
fn is_the_clients(error: &io::Error) -> bool {
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
        tracing::debug!(error = %error, "a connection ended before it began");
        return;
    }
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_DEADLINE);
    // Handlers learn the client's address as they do from axum's own server.
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
        tracing::debug!(error = error.to_string(), "a connection broke");
    }
}
