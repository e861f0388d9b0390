//! Rows of `messaging.stream_offset`: the position of a reader in a stream.

use lapin::message::Delivery;
use sqlx::PgConnection;
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_128;

use super::handler::offset;
use crate::error::Error;

/// The position of a reader in a stream.
#[derive(Debug, Clone)]
pub(crate) struct StreamPosition {
    /// The offset of the first message that is not handled.
    pub(crate) next: i64,
    /// How often the reader restarted because the stream was lost. At zero, the stream is complete if its
    /// first message has offset zero.
    pub(crate) restarts: i32,
    /// The [`digest`] of the message before `next`. `None` if an older version of the program, which stored
    /// no digests, advanced the position.
    pub(super) last_message: Option<Uuid>,
    /// Messages before this offset are handled one by one, because some of them failed in a batch.
    pub(super) singly_before: i64,
}

impl StreamPosition {
    /// Whether the current stream is another one than the one that was read. `found` is the offset and digest
    /// of the first message at or after the last one read; `None` if there is none.
    ///
    /// A stream that begins after it may be the same one after its retention removed older messages: it is
    /// read on.
    pub(crate) fn is_lost(&self, found: Option<(i64, Uuid)>) -> bool {
        let last = self.next - 1;
        match found {
            _ if self.next == 0 => false,
            None => true,
            Some((offset, digest)) => {
                offset < last
                    || (offset == last && self.last_message.is_some_and(|known| known != digest))
            }
        }
    }
}

/// Distinguishes a message from others with the same offset in another stream.
pub(crate) fn digest(delivery: &Delivery) -> Uuid {
    let id = delivery.properties.message_id().as_ref();
    let id = id.map_or("", |id| id.as_str());
    let content = [id.as_bytes(), &delivery.data].join(&0);
    Uuid::new_v8(xxh3_128(&content).to_be_bytes())
}

/// Creates the position if it does not exist, so that it can be locked.
pub(crate) async fn ensure(
    connection: &mut PgConnection,
    consumer: &str,
    stream: &str,
) -> Result<(), Error> {
    sqlx::query!(
        r#"
        insert into messaging.stream_offset (consumer, stream, next_offset) values ($1, $2, 0)
        on conflict do nothing
        "#,
        consumer,
        stream,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Reads the position, which must exist, and locks it until the end of the transaction.
pub(crate) async fn lock(
    connection: &mut PgConnection,
    consumer: &str,
    stream: &str,
) -> Result<StreamPosition, Error> {
    let position = sqlx::query_as!(
        StreamPosition,
        r#"
        select next_offset as next, restarts, singly_before,
            case when last_message_offset = next_offset - 1 then last_message end as last_message
        from messaging.stream_offset
        where consumer = $1 and stream = $2
        for update
        "#,
        consumer,
        stream,
    )
    .fetch_one(connection)
    .await?;
    Ok(position)
}

/// Moves the position past `last`, never back.
pub(super) async fn advance(
    connection: &mut PgConnection,
    consumer: &str,
    stream: &str,
    last: &Delivery,
) -> Result<(), Error> {
    sqlx::query!(
        r#"
        update messaging.stream_offset
        set next_offset = $3 + 1, last_message = $4, last_message_offset = $3, failures = 0
        where consumer = $1 and stream = $2 and next_offset <= $3
        "#,
        consumer,
        stream,
        offset(last, stream)?,
        digest(last),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Moves the position to the first message of the new stream.
pub(super) async fn restart(
    connection: &mut PgConnection,
    consumer: &str,
    stream: &str,
) -> Result<(), Error> {
    sqlx::query!(
        r#"
        update messaging.stream_offset
        set next_offset = 0, last_message = null, last_message_offset = null, restarts = restarts + 1, singly_before = 0,
            failures = 0
        where consumer = $1 and stream = $2
        "#,
        consumer,
        stream,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Records that the messages up to the offset `last` failed together, or that the single message at `last`
/// failed. Returns how often the first unhandled message has failed alone; `None` if all of them have been
/// handled meanwhile.
pub(super) async fn count_failure(
    connection: &mut PgConnection,
    consumer: &str,
    stream: &str,
    last: i64,
    is_single: bool,
) -> Result<Option<i32>, Error> {
    let failures = sqlx::query_scalar!(
        r#"
        update messaging.stream_offset
        set failures = failures + $4::boolean::integer, singly_before = greatest(singly_before, $3 + 1)
        where consumer = $1 and stream = $2 and next_offset <= $3
        returning failures
        "#,
        consumer,
        stream,
        last,
        is_single,
    )
    .fetch_optional(connection)
    .await?;
    Ok(failures)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::StreamPosition;

    #[test]
    fn a_lost_stream_is_recognised_by_its_last_read_message() {
        let (known, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let position = |next, last_message| StreamPosition {
            next,
            restarts: 0,
            last_message,
            singly_before: 0,
        };
        let read = position(10, Some(known));
        assert!(!read.is_lost(Some((9, known))));
        assert!(read.is_lost(Some((9, other))));
        assert!(read.is_lost(Some((8, other))));
        assert!(read.is_lost(None));
        // Older messages were removed by the retention.
        assert!(!read.is_lost(Some((12, other))));
        // The position was stored without a digest.
        assert!(!position(10, None).is_lost(Some((9, other))));
        // Nothing was read, so nothing can be missing.
        assert!(!position(0, None).is_lost(None));
    }
}
