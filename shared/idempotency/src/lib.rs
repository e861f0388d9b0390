#![doc = include_str!("../README.md")]

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use problem::{IdempotencyKey, Problem};
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, migrate::Migrator};

/// The table of answered requests, in the schema `idempotency` of the service's database.
pub static MIGRATOR: Migrator = sqlx::migrate!();

/// A request that creates something.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Who asks: the subject of the token.
    pub caller: &'a str,
    /// What is asked for, such as `place_order`.
    pub operation: &'a str,
    /// The key, if the client gave one; without it every request is a new operation.
    pub key: Option<&'a IdempotencyKey>,
    /// The body, byte for byte or in one canonical form.
    pub body: &'a [u8],
}

/// An answer that can be given again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    status: StatusCode,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    /// `status` with `body` as JSON.
    pub fn json(status: StatusCode, body: &impl serde::Serialize) -> Result<Self, Problem> {
        let body = serde_json::to_vec(body).map_err(|error| Problem::internal_from(&error))?;
        let headers = vec![(header::CONTENT_TYPE.to_string(), "application/json".to_owned())];
        Ok(Self { status, headers, body })
    }

    /// With one header more.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = (self.status, Body::from(self.body)).into_response();
        for (name, value) in self.headers {
            // Both were written by a handler of ours; what is no header is left out rather than answered with an error.
            if let (Ok(name), Ok(value)) =
                (name.parse::<HeaderName>(), HeaderValue::try_from(value))
            {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

/// What a request finds under its key.
#[derive(Debug)]
pub enum Claim {
    /// It is the first: it is to be carried out, and its answer recorded.
    Mine(Mine),
    /// It has been carried out: this was the answer.
    Answered(Answer),
}

/// The right and duty to answer a request.
#[derive(Debug)]
#[must_use = "the answer is to be recorded"]
pub struct Mine(Option<Place>);

#[derive(Debug)]
struct Place {
    caller: String,
    operation: String,
    key: String,
}

/// Claims the key of `request` in the transaction that `tx` is in. If another request with the key is under way, it is
/// waited for. The same key with another body is refused with 422 `idempotency_key_reused`.
pub async fn claim(tx: &mut PgConnection, request: Request<'_>) -> Result<Claim, Problem> {
    let Some(key) = request.key else { return Ok(Claim::Mine(Mine(None))) };
    let fingerprint = Sha256::digest(request.body).to_vec();
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
    let place = Place {
        caller: request.caller.to_owned(),
        operation: request.operation.to_owned(),
        key: key.as_str().to_owned(),
    };
    if claimed.rows_affected() == 1 {
        return Ok(Claim::Mine(Mine(Some(place))));
    }
    let first = sqlx::query!(
        r#"
        select fingerprint, status, headers, body from idempotency.request
        where caller = $1 and operation = $2 and key = $3
        "#,
        place.caller,
        place.operation,
        place.key,
    )
    .fetch_one(&mut *tx)
    .await?;
    if first.fingerprint != fingerprint {
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency_key_reused",
            "The idempotency key was used for another request",
        )
        .detail(
            "This Idempotency-Key came before with another body; use a new key for a new request.",
        ));
    }
    let status = first.status.and_then(|status| u16::try_from(status).ok());
    let status = status.and_then(|status| StatusCode::from_u16(status).ok());
    let headers = first.headers.and_then(|headers| serde_json::from_value(headers).ok());
    match (status, headers, first.body) {
        (Some(status), Some(headers), Some(body)) => {
            Ok(Claim::Answered(Answer { status, headers, body }))
        }
        // Whoever claims a key records its answer before committing; a row without one was not written by this crate.
        _ => Err(Problem::conflict(
            "idempotency_key_unanswered",
            "The first request with this key has no recorded answer",
        )),
    }
}

impl Mine {
    /// Records the answer; it commits together with the effect.
    pub async fn record(self, tx: &mut PgConnection, answer: &Answer) -> Result<(), Problem> {
        let Some(place) = self.0 else { return Ok(()) };
        let headers = serde_json::to_value(&answer.headers)
            .map_err(|error| Problem::internal_from(&error))?;
        sqlx::query!(
            r#"
            update idempotency.request set status = $4, headers = $5, body = $6
            where caller = $1 and operation = $2 and key = $3
            "#,
            place.caller,
            place.operation,
            place.key,
            i16::try_from(answer.status.as_u16()).unwrap_or(i16::MAX),
            headers,
            answer.body,
        )
        .execute(tx)
        .await?;
        Ok(())
    }
}

/// Forgets what is older than `days` days; says how many requests that were. A client that comes back later with the same
/// key makes a new operation.
pub async fn forget(connection: &mut PgConnection, days: i32) -> Result<u64, sqlx::Error> {
    let forgotten = sqlx::query!(
        "delete from idempotency.request where created_at < now() - make_interval(days => $1)",
        days,
    )
    .execute(connection)
    .await?;
    Ok(forgotten.rows_affected())
}
