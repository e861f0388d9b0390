#![doc = include_str!("../README.md")]

mod batch;

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use problem::{IdempotencyKey, Problem};
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, migrate::Migrator};

pub use crate::batch::{find_all, store_all};

/// Migrations of the schema `idempotency` in the service's database, which stores requests and their responses.
pub static MIGRATOR: Migrator = sqlx::migrate!();

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

impl Request<'_> {
    fn fingerprint(&self) -> Vec<u8> {
        Sha256::digest(self.body).to_vec()
    }

    /// The primary key of the stored request, if it has a key.
    fn id(&self) -> Option<[String; 3]> {
        let key = self.key?.as_str().to_owned();
        Some([self.caller.to_owned(), self.operation.to_owned(), key])
    }
}

/// A response that can be sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredResponse {
    status: StatusCode,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
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

    fn stored_status(&self) -> i16 {
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

/// The result of claiming a key.
#[derive(Debug)]
pub enum Claim {
    /// The key is new: execute the request and record its response.
    Acquired(AcquiredKey),
    /// The request was executed before: send its response again.
    Replay(StoredResponse),
}

/// A key claimed by this transaction, which must record the response; `None` if the request has no key.
#[derive(Debug)]
#[must_use = "record the response"]
pub struct AcquiredKey(Option<RequestId>);

/// The primary key of a stored request.
#[derive(Debug)]
struct RequestId {
    caller: String,
    operation: String,
    key: String,
}

/// Claims the key of `request` in the transaction of `tx`. Waits while another request with the same key is in progress.
///
/// The same key with another body is 422 `idempotency_key_reused`.
pub async fn claim(tx: &mut PgConnection, request: Request<'_>) -> Result<Claim, Problem> {
    let Some(key) = request.key else { return Ok(Claim::Acquired(AcquiredKey(None))) };
    let fingerprint = request.fingerprint();
    let claimed = sqlx::query!(
        r#"
        insert into idempotency.request (caller, operation, key, fingerprint) values ($1, $2, $3, $4)
        on conflict do nothing
        "#,
        request.caller,
        request.operation,
        key.as_str(),
        fingerprint,
    )
    .execute(&mut *tx)
    .await?;
    let id = RequestId {
        caller: request.caller.to_owned(),
        operation: request.operation.to_owned(),
        key: key.as_str().to_owned(),
    };
    if claimed.rows_affected() == 1 {
        return Ok(Claim::Acquired(AcquiredKey(Some(id))));
    }
    let first = sqlx::query_as!(
        StoredRequest,
        r#"
        select fingerprint, status, headers, body from idempotency.request
        where caller = $1 and operation = $2 and key = $3
        "#,
        id.caller,
        id.operation,
        id.key,
    )
    .fetch_one(&mut *tx)
    .await?;
    first.replay(&fingerprint).map(Claim::Replay)
}

/// An earlier request and its response, as stored.
struct StoredRequest {
    fingerprint: Vec<u8>,
    status: Option<i16>,
    headers: Option<serde_json::Value>,
    body: Option<Vec<u8>>,
}

impl StoredRequest {
    /// The stored response, if the request with `fingerprint` has the same body.
    fn replay(&self, fingerprint: &[u8]) -> Result<StoredResponse, Problem> {
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

impl AcquiredKey {
    /// Stores the response in the transaction of the effect.
    pub async fn record(
        self,
        tx: &mut PgConnection,
        response: &StoredResponse,
    ) -> Result<(), Problem> {
        let Some(id) = self.0 else { return Ok(()) };
        let headers = serde_json::to_value(&response.headers)
            .map_err(|error| Problem::internal_from(&error))?;
        sqlx::query!(
            r#"
            update idempotency.request set status = $4, headers = $5, body = $6
            where caller = $1 and operation = $2 and key = $3
            "#,
            id.caller,
            id.operation,
            id.key,
            response.stored_status(),
            headers,
            response.body,
        )
        .execute(tx)
        .await?;
        Ok(())
    }
}

/// Deletes requests that are older than `days` days, and returns their number. A later request with the same key is a new
/// operation.
pub async fn delete_expired(connection: &mut PgConnection, days: i32) -> Result<u64, sqlx::Error> {
    let deleted = sqlx::query!(
        "delete from idempotency.request where created_at < now() - make_interval(days => $1)",
        days,
    )
    .execute(connection)
    .await?;
    Ok(deleted.rows_affected())
}
