//! The key of one request, in its transaction.

use problem::Problem;
use sqlx::PgConnection;

use crate::request::{Request, StoredRequest, StoredResponse};

/// The result of claiming a key.
#[derive(Debug)]
pub(crate) enum Claim {
    /// The key is new: execute the request and record its response.
    Acquired(AcquiredKey),
    /// The request was executed before: send its response again.
    Replay(StoredResponse),
}

/// A key claimed by this transaction, which must record the response; `None` if the request has no key.
#[derive(Debug)]
#[must_use = "record the response"]
pub(crate) struct AcquiredKey(Option<RequestId>);

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
pub(crate) async fn claim(tx: &mut PgConnection, request: Request<'_>) -> Result<Claim, Problem> {
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

impl AcquiredKey {
    /// Stores the response in the transaction of the effect.
    pub(crate) async fn record(
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
