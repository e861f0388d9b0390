//! Errors between a service, its database and the broker.

use std::time::Duration;

use crate::difference::Difference;

/// The error behind a failure, with its sources.
pub type Cause = Box<dyn std::error::Error + Send + Sync + 'static>;

/// Why an operation of the kit failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// PostgreSQL returned an error or was unreachable.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    #[error("the migrations of the messaging schema failed")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// RabbitMQ returned an error or was unreachable.
    #[error("the broker failed")]
    Broker(#[from] lapin::Error),
    #[error("{what} took longer than {limit:?}")]
    Deadline { what: &'static str, limit: Duration },
    /// An event could not be written as JSON.
    #[error("an event could not be encoded")]
    Encode(#[from] serde_json::Error),
    /// Another process took over the work. This one restarts from the committed state.
    #[error("another process has taken over {0}")]
    Superseded(&'static str),
    /// The broker cancelled a consumer, for example because its queue was deleted.
    #[error("the broker cancelled the consumer of {0}")]
    ConsumerCancelled(String),
    /// An exchange or queue exists in a form in which it cannot be used.
    #[error("{0}; it is not used")]
    Differs(Box<Difference>),
    /// The exchange of a publisher does not exist, and the user of this service may not declare it.
    #[error(
        "the exchange {0} does not exist, and only its publisher may declare it: start the publisher, or load the definitions"
    )]
    NoExchange(String),
    /// A message lacks a property that the kit requires.
    #[error("a message of {queue} has no {what}")]
    Incomplete { queue: String, what: &'static str },
    /// A handler could not reach the database or the broker.
    #[error("a dependency of a handler is unreachable")]
    Unavailable(#[source] Cause),
    /// The task of a consumer panicked or was cancelled.
    #[error("the task of a consumer ended unexpectedly")]
    TaskFailed(#[source] Cause),
    #[error("the connection is closed")]
    ConnectionClosed,
    /// The broker blocks publishing connections because of a memory or disk alarm.
    #[error("the broker accepts no messages because of a memory or disk alarm")]
    Blocked,
    /// The channel was not in confirm mode, so the fate of the messages is unknown.
    #[error("the channel is not in confirm mode")]
    Unconfirmed,
    /// A handler wrote to a table outside its projection during a replay.
    #[error("the replay would have written to {0}, which is not part of its projection")]
    OutsideShadow(String),
    #[error("the key of the event {kind} is longer than 512 bytes or contains a NUL: {key:?}")]
    InvalidKey { kind: &'static str, key: String },
    #[error("the event {kind} has {bytes} bytes, which exceeds the maximum message size")]
    TooLarge { kind: &'static str, bytes: usize },
}

impl Error {
    /// Whether a server caused the error, not the request: the same request may be retried.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Database(error) => is_unavailable(error),
            Self::Broker(_)
            | Self::Deadline { .. }
            | Self::Superseded(_)
            | Self::ConsumerCancelled(_)
            | Self::Differs(_)
            | Self::NoExchange(_)
            | Self::Unavailable(_)
            | Self::TaskFailed(_)
            | Self::Blocked
            | Self::ConnectionClosed
            | Self::Unconfirmed => true,
            Self::Migration(_)
            | Self::Encode(_)
            | Self::InvalidKey { .. }
            | Self::TooLarge { .. }
            | Self::Incomplete { .. }
            | Self::OutsideShadow(_) => false,
        }
    }
}

/// Whether the database caused the error, not the statement: the connection was lost, the server shuts down or lacks resources, or
/// the transaction lost against another one (deadlock, serialisation) and may run again.
pub(crate) fn is_unavailable(error: &sqlx::Error) -> bool {
    if let sqlx::Error::Database(error) = error {
        return error.code().is_some_and(|code| {
            // SQLSTATE classes (PostgreSQL manual, appendix A): connection, transaction rollback, resources, operator intervention
            // without the statement timeout, system; and the lock timeout.
            ["08", "40", "53", "57P", "58", "55P03"].iter().any(|class| code.starts_with(class))
        });
    }
    matches!(
        error,
        sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
    )
}

/// Runs `future` with a timeout: every wait in the kit has one.
pub(crate) async fn with_timeout<T, E>(
    what: &'static str,
    limit: Duration,
    future: impl Future<Output = Result<T, E>>,
) -> Result<T, Error>
where
    Error: From<E>,
{
    match tokio::time::timeout(limit, future).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(Error::Deadline { what, limit }),
    }
}

/// Replaces NULs, which PostgreSQL cannot store: error texts may quote invalid input.
pub(crate) fn without_nul(causes: &[String]) -> Vec<String> {
    causes.iter().map(|cause| cause.replace('\0', "\u{fffd}")).collect()
}

/// The error and all its sources, outermost first, for logs and dead letters.
pub(crate) fn causes(error: &(dyn std::error::Error + 'static)) -> Vec<String> {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect()
}
