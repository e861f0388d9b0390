//! What can go wrong between a service, its database and the broker.

use std::time::Duration;

/// Why the kit could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// PostgreSQL refused or was out of reach.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// The kit's tables could not be brought up to date.
    #[error("the migrations of the messaging schema failed")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// RabbitMQ refused or was out of reach.
    #[error("the broker failed")]
    Broker(#[from] lapin::Error),
    /// Something took longer than it ever should.
    #[error("{what} took longer than {limit:?}")]
    Deadline {
        /// What was waited for.
        what: &'static str,
        /// How long.
        limit: Duration,
    },
    /// An event could not be written as JSON.
    #[error("an event could not be encoded")]
    Encode(#[from] serde_json::Error),
    /// Another process has taken over what this one was doing; it starts again from what is committed.
    #[error("another process has taken over {0}")]
    Superseded(&'static str),
    /// The broker ended a consumer, for instance because its queue was deleted.
    #[error("the broker ended the consumer of {0}")]
    ConsumerEnded(String),
    /// What a message carries says nothing of what the kit must know of it.
    #[error("a message of {queue} lacks its {what}")]
    Incomplete {
        /// Where it came from.
        queue: String,
        /// What it lacks.
        what: &'static str,
    },
    /// A handler found that the database or the broker is out of reach.
    #[error("what a handler needs is out of reach")]
    Unavailable(#[source] crate::Cause),
    /// A consumer's task ended by itself.
    #[error("a consumer's task ended")]
    Lane(#[source] crate::Cause),
    /// The connection is being closed.
    #[error("the connection is being closed")]
    Ended,
    /// The broker reads nothing from connections that publish, because it runs out of memory or disk.
    #[error("the broker takes nothing, for it has raised an alarm of memory or disk")]
    Blocked,
    /// The broker has refused messages again and again.
    #[error("the broker refuses messages")]
    Refused,
    /// The channel was not in confirm mode, so nothing is known of what was published.
    #[error("the broker confirms nothing on this channel")]
    Unconfirmed,
    /// A handler wrote in a replay where a replay may not write.
    #[error("a replay would have written into {0}, which is no table of its projection")]
    OutsideShadow(String),
    /// A key that no listener would take.
    #[error("the key of the event {kind} is longer than 512 bytes, or has a NUL: {key:?}")]
    Key {
        /// Its type.
        kind: &'static str,
        /// Its key.
        key: String,
    },
    /// An event is larger than a message may be.
    #[error("the event {kind} has {bytes} bytes, more than fit into a message")]
    TooLarge {
        /// Its type.
        kind: &'static str,
        /// Its size.
        bytes: usize,
    },
}

impl Error {
    /// Whether a server is to blame rather than what was asked of it: then the same may simply be tried again.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Database(error) => crate::failure::is_unavailable(error),
            Self::Broker(_)
            | Self::Deadline { .. }
            | Self::Superseded(_)
            | Self::ConsumerEnded(_)
            | Self::Unavailable(_)
            | Self::Lane(_)
            | Self::Blocked
            | Self::Refused
            | Self::Ended
            | Self::Unconfirmed => true,
            Self::Migration(_)
            | Self::Encode(_)
            | Self::Key { .. }
            | Self::TooLarge { .. }
            | Self::Incomplete { .. }
            | Self::OutsideShadow(_) => false,
        }
    }
}

/// Waits for `future`, at most `limit`: nothing in the kit waits for ever.
pub(crate) async fn within<T, E>(
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

/// Text that PostgreSQL can hold: errors quote what they could not read, and that may have a NUL.
pub(crate) fn printable(causes: &[String]) -> Vec<String> {
    causes.iter().map(|cause| cause.replace('\0', "\u{fffd}")).collect()
}

/// An error with all its causes, outermost first, as people read it in a log or a dead letter.
pub(crate) fn causes(error: &(dyn std::error::Error + 'static)) -> Vec<String> {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect()
}
