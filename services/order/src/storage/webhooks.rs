//! Processed webhook events and their responses.

use serde_json::Value;
use sqlx::PgConnection;

#[derive(Debug)]
pub(crate) enum WebhookClaim {
    /// The first request with this event id. Its effect and its response commit together.
    First,
    /// The event was processed before, with this response.
    Processed(Value),
}

/// Claims an event id; waits for a concurrent request with the same id.
pub(crate) async fn claim(
    connection: &mut PgConnection,
    webhook: &str,
    event_id: &str,
) -> Result<WebhookClaim, sqlx::Error> {
    let claimed = sqlx::query!(
        "insert into webhook_event (webhook, event_id) values ($1, $2) on conflict do nothing",
        webhook,
        event_id,
    )
    .execute(&mut *connection)
    .await?;
    if claimed.rows_affected() == 1 {
        return Ok(WebhookClaim::First);
    }
    let response = sqlx::query_scalar!(
        r#"select coalesce(answer, '{}') as "answer!" from webhook_event where webhook = $1 and event_id = $2"#,
        webhook,
        event_id,
    )
    .fetch_one(connection)
    .await?;
    Ok(WebhookClaim::Processed(response))
}

/// Records the response of a claimed event.
pub(crate) async fn record_response(
    connection: &mut PgConnection,
    webhook: &str,
    event_id: &str,
    response: &Value,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update webhook_event set answer = $3 where webhook = $1 and event_id = $2",
        webhook,
        event_id,
        response,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Deletes events that are older than `days` days, and returns their number.
pub(crate) async fn delete_older_than(
    connection: &mut PgConnection,
    days: i32,
) -> Result<u64, sqlx::Error> {
    let deleted = sqlx::query!(
        "delete from webhook_event where received_at < now() - make_interval(days => $1)",
        days,
    )
    .execute(connection)
    .await?;
    Ok(deleted.rows_affected())
}
