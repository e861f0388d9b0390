//! Why a request failed.

/// A request to the management API failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The API is unreachable, or its response breaks off.
    #[error("the request to RabbitMQ's management API failed")]
    Request(#[from] tls::http::HttpError),

    #[error("the response of RabbitMQ's management API cannot be decoded")]
    Decode(#[from] serde_json::Error),

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

impl Error {
    /// Whether the server does not accept the user or the password.
    pub fn is_unauthorized(&self) -> bool {
        matches!(self, Self::Status { status: 401, .. })
    }
}
