//! Reads messages of the log by their positions, to publish them again.

use sqlx::PgConnection;

use super::partition::Partition;
use crate::{error::Error, message_position::PositionRange};

/// A message of the log.
#[derive(Debug)]
pub(crate) struct MessageCopy {
    pub(crate) number: i64,
    /// No events: the position is unused.
    pub(crate) events: i32,
    pub(crate) body: Vec<u8>,
}

/// Reads the first messages of a range.
pub(crate) async fn read(
    connection: &mut PgConnection,
    partition: &Partition,
    range: PositionRange,
    limit: i64,
) -> Result<Vec<MessageCopy>, Error> {
    let copies = sqlx::query_as!(
        MessageCopy,
        r#"
        select position as "number!", events, body from messaging.message
        where aggregate = $1 and slot = $2 and position between $3 and $4
        order by position
        limit $5
        "#,
        partition.aggregate,
        partition.slot,
        range.first,
        range.last,
        limit,
    );
    Ok(copies.fetch_all(connection).await?)
}

/// The last position of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LastPosition {
    pub(crate) number: i64,
    /// Whether later positions may have been published already: events of the partition are in the outbox.
    pub(crate) may_grow: bool,
}

pub(crate) async fn last_position(
    connection: &mut PgConnection,
    partition: &Partition,
) -> Result<LastPosition, Error> {
    let last = sqlx::query_as!(
        LastPosition,
        r#"
        select coalesce((select last from messaging.slot_position where aggregate = $1 and slot = $2), 0) as "number!",
            exists (select from messaging.outbox where aggregate = $1 and slot = $2) as "may_grow!"
        "#,
        partition.aggregate,
        partition.slot,
    );
    Ok(last.fetch_one(connection).await?)
}
