//! Why a request failed.

/// A request to the management API failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The API is unreachable, or its response is invalid.
    #[error("the request to RabbitMQ's management API failed")]
    Request(#[from] reqwest::Error),

    /// The API returned an error status.
    #[error("RabbitMQ's management API returned {status} for {request}: {body}")]
    Status {
        /// Method and path.
        request: String,
        status: u16,
        body: String,
    },

    /// It may contain a password, so it is not repeated.
    #[error("the URL of the management API is not like http://user:password@host:port")]
    InvalidUrl,
}
