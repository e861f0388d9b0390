//! Retries of subscriptions to full state: rows of `messaging.parked`, each of which waits for itself alone.

use sqlx::PgConnection;

use super::core::{Incoming, Key, Origin, Step};
use crate::{Error, consumer::parking};

/// The keys of a slot group that have something due. What waits without a time was parked by a subscription with cursors, and is
/// due at once.
pub(super) async fn due(
    connection: &mut PgConnection,
    consumer: &str,
    group: u8,
) -> Result<Vec<Key>, Error> {
    let rows = sqlx::query!(
        r#"
        select source, key from messaging.parked
        where consumer = $1 and coalesce(next_at, '-infinity') <= now() and slot = any($2)
        group by source, key
        order by min(next_at)
        limit 200
        "#,
        consumer,
        &parking::slots(group),
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.source, row.key)).collect())
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
                and coalesce(next_at, '-infinity') <= now()
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
    let incoming = parking::incoming(source, &row.envelope, row.attempts, row.causes)?;
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
