//! Rows of `messaging.received_position`.

use sqlx::PgConnection;

use super::received_positions::{SlotKey, StoredPositions};
use crate::{error::Error, message_position::PositionRange};

struct Row {
    publisher: String,
    slot: i16,
    history: i64,
    began: i64,
    received: i64,
    missing_first: Vec<i64>,
    missing_last: Vec<i64>,
}

impl From<Row> for StoredPositions {
    fn from(row: Row) -> Self {
        let ranges = row.missing_first.into_iter().zip(row.missing_last);
        Self {
            publisher: row.publisher,
            slot: row.slot,
            history: row.history,
            began: row.began,
            received: row.received,
            missing: ranges.map(|(first, last)| PositionRange { first, last }).collect(),
        }
    }
}

/// Reads the positions of a consumer for these slots.
pub(super) async fn read(
    connection: &mut PgConnection,
    consumer: &str,
    slots: &[i16],
) -> Result<Vec<StoredPositions>, Error> {
    let rows = sqlx::query_as!(
        Row,
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
    Ok(rows.into_iter().map(StoredPositions::from).collect())
}

/// Reads and locks what is stored of some publishers' slots.
pub(crate) async fn lock(
    connection: &mut PgConnection,
    consumer: &str,
    keys: &[SlotKey],
) -> Result<Vec<StoredPositions>, Error> {
    let (publishers, slots): (Vec<&str>, Vec<i16>) =
        keys.iter().map(|(publisher, slot)| (publisher.as_str(), *slot)).unzip();
    let rows = sqlx::query_as!(
        Row,
        r#"
        select publisher, slot, history, began, received, missing_first, missing_last
        from messaging.received_position
        where consumer = $1 and (publisher, slot) in (
            select u.publisher, u.slot from unnest($2::text[], $3::smallint[]) as u (publisher, slot)
        )
        order by publisher, slot
        for update
        "#,
        consumer,
        &publishers as &[&str],
        &slots,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(StoredPositions::from).collect())
}

/// Writes positions.
pub(crate) async fn write(
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
