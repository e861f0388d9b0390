//! How far a reader has come in a stream, as its service's database tells.

use lapin::message::Delivery;
use sqlx::PgConnection;
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_128;

use super::offset;
use crate::Error;

/// How far a reader has come in a stream.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The offset of the first message that has not taken effect.
    pub(crate) next: i64,
    /// How often the reader began again because the stream was lost: at zero, the stream holds all there ever was if its first
    /// message has the offset zero.
    pub(crate) restarts: i32,
    /// The [`digest`] of the message before `next`, if it is known: not if an older version of the program, which wrote no digests, has
    /// gone past that message.
    pub(super) last_message: Option<Uuid>,
    /// Messages before this offset are handled one by one, for some of them failed together.
    pub(super) singly_before: i64,
}

impl Place {
    /// Whether the stream that is there is another one than was read. `found` is the offset and the digest of the first message at or
    /// behind the one that was read last; `None` if there is no such message.
    ///
    /// One that begins behind it may be the same, which has forgotten what is old: then it is read on.
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

/// Tells a message from others that once had or will have its offset.
pub(crate) fn digest(delivery: &Delivery) -> Uuid {
    let id = delivery.properties.message_id().as_ref();
    let id = id.map_or("", |id| id.as_str());
    let told = [id.as_bytes(), &delivery.data].join(&0);
    Uuid::new_v8(xxh3_128(&told).to_be_bytes())
}

/// Makes sure that there is a place, before the first message where there was none: what is not there cannot be locked.
pub(crate) async fn enrol(
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

/// The place of a reader who is [enrolled](enrol); in a transaction it stays locked.
pub(crate) async fn place(
    connection: &mut PgConnection,
    consumer: &str,
    stream: &str,
) -> Result<Place, Error> {
    let place = sqlx::query_as!(
        Place,
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
    Ok(place)
}

/// Goes past `last`, never back.
pub(super) async fn go_past(
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

/// Goes back to the first message of the stream, which is another one than was read.
pub(super) async fn begin_again(
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

/// Writes down that the messages up to the offset `last` failed together, or that the one at `last` failed `alone`. Answers how often
/// the first message that has not taken effect has failed alone; `None` if all of them have meanwhile.
pub(super) async fn count_failure(
    connection: &mut PgConnection,
    consumer: &str,
    stream: &str,
    last: i64,
    alone: bool,
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
        alone,
    )
    .fetch_optional(connection)
    .await?;
    Ok(failures)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::Place;

    #[test]
    fn another_stream_is_known_by_what_stands_where_was_read_last() {
        let (known, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let place =
            |next, last_message| Place { next, restarts: 0, last_message, singly_before: 0 };
        let read = place(10, Some(known));
        assert!(!read.is_lost(Some((9, known))));
        assert!(read.is_lost(Some((9, other))));
        assert!(read.is_lost(Some((8, other))));
        assert!(read.is_lost(None));
        // It has forgotten what is old.
        assert!(!read.is_lost(Some((12, other))));
        // The place was written when digests were not.
        assert!(!place(10, None).is_lost(Some((9, other))));
        // Nothing was read, so nothing can be missing.
        assert!(!place(0, None).is_lost(None));
    }
}
