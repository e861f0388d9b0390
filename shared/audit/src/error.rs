//! Why an audit cannot be done.

use std::time::Duration;

/// Why an audit cannot be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("cannot read the database of {service}")]
    Database {
        service: &'static str,
        #[source]
        source: sqlx::Error,
    },
    #[error("search-sync cannot compare its index")]
    Search(#[from] tls::http::HttpError),
    #[error("cannot list the queues")]
    Management(#[from] rabbitmq_management::Error),
    #[error("cannot read a stream")]
    Broker(#[from] lapin::Error),
    #[error("{operation} took longer than {timeout:?}")]
    TimedOut { operation: &'static str, timeout: Duration },
    /// An unexpected answer.
    #[error("{0}")]
    Unexpected(String),
}
