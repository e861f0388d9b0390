//! Callbacks that have taken effect, and what they were answered.

use serde_json::Value;
use sqlx::PgConnection;

/// What a callback finds under its event id.
#[derive(Debug)]
pub(crate) enum Claim {
    /// It is the first: its effect and its answer commit together.
    Mine,
    /// It has taken effect: this was the answer.
    Answered(Value),
}

/// Claims an event id. If a callback with it is under way, it is waited for.
pub(crate) async fn claim(
    connection: &mut PgConnection,
    webhook: &str,
    event_id: &str,
) -> Result<Claim, sqlx::Error> {
    let claimed = sqlx::query!(
        "insert into webhook_event (webhook, event_id) values ($1, $2) on conflict do nothing",
        webhook,
        event_id,
    )
    .execute(&mut *connection)
    .await?;
    if claimed.rows_affected() == 1 {
        return Ok(Claim::Mine);
    }
    let answer = sqlx::query_scalar!(
        r#"select coalesce(answer, '{}') as "answer!" from webhook_event where webhook = $1 and event_id = $2"#,
        webhook,
        event_id,
    )
    .fetch_one(connection)
    .await?;
    Ok(Claim::Answered(answer))
}

/// Records what a callback was answered.
pub(crate) async fn record(
    connection: &mut PgConnection,
    webhook: &str,
    event_id: &str,
    answer: &Value,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update webhook_event set answer = $3 where webhook = $1 and event_id = $2",
        webhook,
        event_id,
        answer,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Forgets callbacks that are older than `days` days; says how many.
pub(crate) async fn forget(connection: &mut PgConnection, days: i32) -> Result<u64, sqlx::Error> {
    let forgotten = sqlx::query!(
        "delete from webhook_event where received_at < now() - make_interval(days => $1)",
        days,
    )
    .execute(connection)
    .await?;
    Ok(forgotten.rows_affected())
}
