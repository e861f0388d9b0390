//! The log of the deliveries to an endpoint.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, types::Json};
use vocabulary::{WebhookEndpointId, WebhookMessageId};

use super::{json_columns::AttemptJson, undecodable};
use crate::domain::webhooks::{Attempt, DeliveryStatus};

#[derive(Debug)]
pub(crate) struct LoggedDelivery {
    pub(crate) message: WebhookMessageId,
    /// Later deliveries have higher positions.
    pub(crate) position: i64,
    pub(crate) event_type: String,
    pub(crate) key: String,
    pub(crate) status: DeliveryStatus,
    pub(crate) occurred_at: DateTime<Utc>,
    pub(crate) attempts: i32,
    pub(crate) next_attempt_at: DateTime<Utc>,
    pub(crate) finished_at: Option<DateTime<Utc>>,
    pub(crate) history: Vec<LoggedAttempt>,
}

/// An attempt as it was recorded.
#[derive(Debug)]
pub(crate) struct LoggedAttempt {
    pub(crate) at: DateTime<Utc>,
    pub(crate) result: String,
    pub(crate) status_code: Option<u16>,
    pub(crate) error: Option<String>,
    pub(crate) duration_ms: u64,
}

impl From<AttemptJson> for LoggedAttempt {
    fn from(json: AttemptJson) -> Self {
        let AttemptJson { at, result, status_code, error, duration_ms } = json;
        Self { at, result, status_code, error, duration_ms }
    }
}

/// At most `limit` deliveries before a position, newest first.
pub(crate) async fn list(
    connection: &mut PgConnection,
    endpoint: WebhookEndpointId,
    status: Option<DeliveryStatus>,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<LoggedDelivery>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        select d.message_id, d.position, m.event_type, d.key, d.status, m.occurred_at, d.attempts, d.next_attempt_at,
            d.finished_at, d.history as "history: Json<Vec<AttemptJson>>"
        from webhook_delivery d
        join webhook_message m on m.id = d.message_id
        where d.endpoint_id = $1 and d.position < $2 and ($3::text is null or d.status = $3)
        order by d.position desc
        limit $4
        "#,
        endpoint.as_uuid(),
        before.unwrap_or(i64::MAX),
        status.map(DeliveryStatus::as_str),
        limit,
    )
    .fetch_all(connection)
    .await?;
    let deliveries = rows.into_iter().map(|row| {
        Ok(LoggedDelivery {
            message: row.message_id.into(),
            position: row.position,
            event_type: row.event_type,
            key: row.key,
            status: row.status.parse().map_err(undecodable)?,
            occurred_at: row.occurred_at,
            attempts: row.attempts,
            next_attempt_at: row.next_attempt_at,
            finished_at: row.finished_at,
            history: row.history.0.into_iter().map(LoggedAttempt::from).collect(),
        })
    });
    deliveries.collect()
}

/// Makes a delivery due at once, with a new series of attempts, and returns whether it exists. One that had ended is sent
/// outside the order of its key.
pub(crate) async fn redeliver(
    connection: &mut PgConnection,
    endpoint: WebhookEndpointId,
    message: WebhookMessageId,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let updated = sqlx::query!(
        r#"
        update webhook_delivery
        set in_order = in_order and status = 'pending', status = 'pending', started_at = $3, attempts = 0,
            next_attempt_at = $3, finished_at = null
        where endpoint_id = $1 and message_id = $2
        "#,
        endpoint.as_uuid(),
        message.as_uuid(),
        now,
    )
    .execute(connection)
    .await?;
    Ok(updated.rows_affected() == 1)
}

/// Adds a message that was sent once and is not repeated.
pub(crate) async fn insert_sent(
    connection: &mut PgConnection,
    endpoint: WebhookEndpointId,
    message: WebhookMessageId,
    (event_type, body): (&str, &[u8]),
    attempt: &Attempt,
    status: DeliveryStatus,
) -> Result<(), sqlx::Error> {
    let history = Json(vec![AttemptJson::from(attempt)]);
    sqlx::query!(
        r#"
        with message as (
            insert into webhook_message (id, event_type, body, occurred_at, created_at) values ($2, $3, $4, $5, $5)
        )
        insert into webhook_delivery (
            endpoint_id, message_id, key, status, in_order, started_at, attempts, next_attempt_at, finished_at, history
        )
        values ($1, $2, $2::uuid::text, $6, false, $5, 1, $5, $5, $7)
        "#,
        endpoint.as_uuid(),
        message.as_uuid(),
        event_type,
        body,
        attempt.at,
        status.as_str(),
        history as Json<Vec<AttemptJson>>,
    )
    .execute(connection)
    .await?;
    Ok(())
}
