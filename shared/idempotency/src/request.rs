//! Requests that create something, and their stored responses.

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use problem::{IdempotencyKey, Problem};
use sha2::{Digest, Sha256};

/// A request that creates a resource.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The subject of the token.
    pub caller: &'a str,
    /// Name of the operation, such as `place_order`.
    pub operation: &'a str,
    /// Without a key every request is a new operation.
    pub key: Option<&'a IdempotencyKey>,
    /// The body as sent, or in a canonical form.
    pub body: &'a [u8],
}

/// A parsed body as [`Request::body`], in a canonical form.
pub fn request_body(parsed: &impl serde::Serialize) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(parsed).map_err(|error| Problem::internal_from(&error))
}

impl Request<'_> {
    pub(crate) fn fingerprint(&self) -> Vec<u8> {
        Sha256::digest(self.body).to_vec()
    }

    /// The primary key of the stored request, if it has a key.
    pub(crate) fn id(&self) -> Option<[String; 3]> {
        let key = self.key?.as_str().to_owned();
        Some([self.caller.to_owned(), self.operation.to_owned(), key])
    }
}

/// A response that can be sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredResponse {
    status: StatusCode,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl StoredResponse {
    /// A response with a JSON body.
    pub fn json(status: StatusCode, body: &impl serde::Serialize) -> Result<Self, Problem> {
        let body = serde_json::to_vec(body).map_err(|error| Problem::internal_from(&error))?;
        let headers = vec![(header::CONTENT_TYPE.to_string(), "application/json".to_owned())];
        Ok(Self { status, headers, body })
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}

impl StoredResponse {
    /// The value of a header, by its lower-case name.
    pub fn header_value(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn stored_status(&self) -> i16 {
        i16::try_from(self.status.as_u16()).unwrap_or(i16::MAX)
    }
}

impl IntoResponse for StoredResponse {
    fn into_response(self) -> Response {
        let mut response = (self.status, Body::from(self.body)).into_response();
        for (name, value) in self.headers {
            // Handlers set the headers; an invalid one is skipped instead of failing the request.
            if let (Ok(name), Ok(value)) =
                (name.parse::<HeaderName>(), HeaderValue::try_from(value))
            {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

/// An earlier request and its response, as stored.
pub(crate) struct StoredRequest {
    pub(crate) fingerprint: Vec<u8>,
    pub(crate) status: Option<i16>,
    pub(crate) headers: Option<serde_json::Value>,
    pub(crate) body: Option<Vec<u8>>,
}

impl StoredRequest {
    /// The stored response, if the request with `fingerprint` has the same body.
    pub(crate) fn replay(&self, fingerprint: &[u8]) -> Result<StoredResponse, Problem> {
        if self.fingerprint != fingerprint {
            return Err(reused_key());
        }
        let status = self.status.and_then(|status| u16::try_from(status).ok());
        let status = status.and_then(|status| StatusCode::from_u16(status).ok());
        let headers = self.headers.clone();
        let headers = headers.and_then(|headers| serde_json::from_value(headers).ok());
        match (status, headers, self.body.clone()) {
            (Some(status), Some(headers), Some(body)) => {
                Ok(StoredResponse { status, headers, body })
            }
            // This crate commits a key together with its response, so another program wrote this row.
            _ => Err(Problem::conflict(
                "idempotency_key_unanswered",
                "The first request with this key has no stored response",
            )),
        }
    }
}

/// 422: the key was used with another body.
fn reused_key() -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "idempotency_key_reused",
        "The idempotency key was used for another request",
    )
    .detail("This Idempotency-Key was used with another body; use a new key for a new request.")
}
