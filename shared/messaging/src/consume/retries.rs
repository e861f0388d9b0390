//! Retries of state subscriptions: rows of `messaging.parked` that are independent of each other.

use sqlx::PgConnection;

use super::{
    parking,
    plan::{Decision, Origin},
    received_event::{Key, ReceivedEvent},
};
use crate::error::Error;

/// Makes events without a due time due. They were parked while the subscription was sequenced. Those of an unknown
/// type still wait.
pub(super) async fn adopt(
    connection: &mut PgConnection,
    consumer: &str,
    slots: &[i16],
) -> Result<(), Error> {
    sqlx::query!(
        "update messaging.parked set next_at = now() where consumer = $1 and next_at is null and why <> 'unknown_type' and slot = any($2)",
        consumer,
        slots,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Returns the newest due event of a key after counting a start, and the number of starts. It is attempted
/// alone: if it kills the process, older events must not be blamed. An event that another process handles now is left alone.
pub(crate) async fn start(
    connection: &mut PgConnection,
    consumer: &str,
    aggregate: &str,
    (source, key): &Key,
) -> Result<Option<(ReceivedEvent, i32)>, Error> {
    let row = sqlx::query!(
        r#"
        update messaging.parked
        set starts = starts + 1
        where ctid = (
            select ctid from messaging.parked
            where consumer = $1 and aggregate = $2 and source = $3 and key = $4
                and next_at <= now()
            order by seq desc
            limit 1
            for update skip locked
        )
        returning envelope, attempts, causes, starts
        "#,
        consumer,
        aggregate,
        source,
        key,
    )
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let event = parking::received_event(&row.envelope, row.attempts, row.starts, row.causes)?;
    Ok(Some((event, row.starts)))
}

/// Removes parked events that are processed. Returns whether any of `planned` is parked.
pub(super) async fn clear(
    connection: &mut PgConnection,
    consumer: &str,
    planned: &[(&ReceivedEvent, &Decision)],
    origin: Origin,
) -> Result<bool, Error> {
    let mut any_parked = false;
    for (event, decision) in planned {
        if let Decision::ParkRetry(_) | Decision::ParkUnknown = decision {
            any_parked = true;
        } else if origin == Origin::Parked {
            parking::remove(connection, consumer, &event.envelope).await?;
        }
    }
    Ok(any_parked)
}
