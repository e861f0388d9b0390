//! Rows of `messaging.received_position`.

use sqlx::PgConnection;

use super::received_positions::StoredPositions;
use crate::{error::Error, message_position::PositionRange};

/// Reads the positions of a consumer for these slots.
pub(super) async fn read(
    connection: &mut PgConnection,
    consumer: &str,
    slots: &[i16],
) -> Result<Vec<StoredPositions>, Error> {
    let rows = sqlx::query!(
        r#"
        select publisher, slot, history, began, received, missing_first, missing_last
        from messaging.received_position
        where consumer = $1 and slot = any($2)
        "#,
        consumer,
        slots,
    )
    .fetch_all(connection)
    .await?;
    let positions = rows.into_iter().map(|row| {
        let ranges = row.missing_first.into_iter().zip(row.missing_last);
        StoredPositions {
            publisher: row.publisher,
            slot: row.slot,
            history: row.history,
            began: row.began,
            received: row.received,
            missing: ranges.map(|(first, last)| PositionRange { first, last }).collect(),
        }
    });
    Ok(positions.collect())
}

/// Writes positions.
pub(super) async fn write(
    connection: &mut PgConnection,
    consumer: &str,
    positions: &[StoredPositions],
) -> Result<(), Error> {
    for positions in positions {
        let (first, last): (Vec<i64>, Vec<i64>) =
            positions.missing.iter().map(|range| (range.first, range.last)).unzip();
        sqlx::query!(
            r#"
            insert into messaging.received_position
                (consumer, publisher, slot, history, began, received, missing_first, missing_last)
            values ($1, $2, $3, $4, $5, $6, $7, $8)
            on conflict (consumer, publisher, slot) do update set
                history = excluded.history, began = excluded.began, received = excluded.received,
                missing_first = excluded.missing_first, missing_last = excluded.missing_last
            "#,
            consumer,
            positions.publisher,
            positions.slot,
            positions.history,
            positions.began,
            positions.received,
            &first,
            &last,
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}
