//! Connections to RabbitMQ.

use std::{future::Future, time::Duration};

use lapin::{Connection, ConnectionProperties};
use runtime::config::Secret;

/// Upper bound for any single answer of the broker.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// Why the broker cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BrokerError {
    #[error("the broker failed")]
    Failed(#[from] lapin::Error),
    #[error("{0} took longer than {RESPONSE_TIMEOUT:?}")]
    TimedOut(&'static str),
    #[error("the broker cancelled the consumer")]
    ConsumerCancelled,
}

/// Connects to the first node that answers; `amqp_urls` lists the nodes of a cluster, separated by commas.
///
/// The connection does not recover by itself: after an error, drop it and connect again.
pub(crate) async fn connect(amqp_urls: &Secret, name: &str) -> Result<Connection, BrokerError> {
    let mut last_error = BrokerError::TimedOut("connecting to the broker");
    for url in amqp_urls.expose().split(',') {
        match connect_to(url.trim(), name).await {
            Ok(connection) => return Ok(connection),
            Err(error) => last_error = error,
        }
    }
    Err(last_error)
}

async fn connect_to(url: &str, name: &str) -> Result<Connection, BrokerError> {
    let separator = if url.contains('?') { '&' } else { '?' };
    let url = format!("{url}{separator}heartbeat=10&connection_timeout=10000");
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    with_timeout("connecting to the broker", tls::amqp::connect(&url, properties)).await
}

/// Waits at most [`RESPONSE_TIMEOUT`]; `operation` names the request in the error.
pub(crate) async fn with_timeout<T>(
    operation: &'static str,
    response: impl Future<Output = lapin::Result<T>>,
) -> Result<T, BrokerError> {
    match tokio::time::timeout(RESPONSE_TIMEOUT, response).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(BrokerError::TimedOut(operation)),
    }
}

/// Whether the broker answered 404 `NOT_FOUND`, which also closes the channel.
pub(crate) fn is_not_found(error: &lapin::Error) -> bool {
    use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
    matches!(
        error.kind(),
        lapin::ErrorKind::ProtocolError(error)
            if matches!(error.kind(), AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND))
    )
}
