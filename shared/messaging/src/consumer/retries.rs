//! Retries of subscriptions to full state: rows of `messaging.parked`, each of which waits for itself alone.

use sqlx::PgConnection;

use super::core::{Incoming, Key, Origin, Step};
use crate::{Error, consumer::parking};

/// Makes what waits without a time due: it was parked while the subscription still had cursors, and waits for nobody any more.
pub(super) async fn adopt(
    connection: &mut PgConnection,
    consumer: &str,
    group: u8,
) -> Result<(), Error> {
    sqlx::query!(
        "update messaging.parked set next_at = now() where consumer = $1 and next_at is null and slot = any($2)",
        consumer,
        &parking::slots(group),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The newest event of a key that is due, with one more start in its books; how often it has been started, this time included. It is
/// tried alone: if it kills the process, the older ones are innocent.
pub(super) async fn start(
    connection: &mut PgConnection,
    consumer: &str,
    aggregate: &str,
    (source, key): &Key,
) -> Result<Option<(Incoming, i32)>, Error> {
    let row = sqlx::query!(
        r#"
        update messaging.parked
        set starts = starts + 1
        where consumer = $1 and aggregate = $2 and source = $3 and key = $4 and seq = (
            select max(seq) from messaging.parked
            where consumer = $1 and aggregate = $2 and source = $3 and key = $4
                and next_at <= now()
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
    let incoming = parking::incoming(&row.envelope, row.attempts, row.starts, row.causes)?;
    Ok(Some((incoming, row.starts)))
}

/// Takes what was parked and is dealt with out of the parking place. Says whether anything of `planned` waits for a retry.
pub(super) async fn clear(
    connection: &mut PgConnection,
    consumer: &str,
    planned: &[(&Incoming, &Step)],
    origin: Origin,
) -> Result<bool, Error> {
    let mut waits = false;
    for (incoming, step) in planned {
        if let Step::ParkRetry(_) = step {
            waits = true;
        } else if origin == Origin::Parked {
            parking::remove(connection, consumer, &incoming.envelope).await?;
        }
    }
    Ok(waits)
}
