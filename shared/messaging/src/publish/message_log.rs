//! The log of published messages: what the broker confirmed, for a bounded time.
//!
//! Eight segments form a ring. The leading relay opens the next one when the open one is large or old enough, and empties
//! those that are too old, or the oldest when the log is too large.

use std::time::Duration;

use sqlx::{AssertSqlSafe, PgConnection, PgPool};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{leadership::LEASE, outbox::Outbox};
use crate::error::{Error, causes, with_timeout};

/// The number of segments, as in the migration.
const SEGMENTS: i64 = 8;

/// A segment is closed when it holds this part of the log, by age or by size. Six closed segments, the one that is just
/// expiring and the open one are all eight.
const PART: u32 = 6;

/// How often the segments are checked at most.
const CHECK_INTERVAL: Duration = Duration::from_mins(1);

/// The timeout of a check.
const CHECK_TIMEOUT: Duration = Duration::from_secs(15);

/// How much of what was published is kept.
///
/// The oldest messages are deleted when they exceed the age, or when all together exceed the size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageLogBounds {
    /// How long a message is kept. A message may stay for a sixth of this time longer.
    pub age: Duration,
    /// The most bytes of all messages in the database, after compression. The check runs once a minute.
    pub bytes: u64,
}

impl Default for MessageLogBounds {
    fn default() -> Self {
        Self { age: Duration::from_hours(72), bytes: 2 * 1024 * 1024 * 1024 }
    }
}

/// A segment in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Segment {
    /// Counts up: the segment with the highest number is open.
    number: i64,
    /// The time since it was opened.
    age: Duration,
    bytes: u64,
}

impl Segment {
    /// The table of the ring that holds the segment.
    const fn table(self) -> i64 {
        self.number.rem_euclid(SEGMENTS)
    }
}

/// Why a segment is emptied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Excess {
    Age,
    Size,
}

/// What to do with the segments.
#[derive(Debug, Default, PartialEq, Eq)]
struct Rotation {
    /// The segments to empty, oldest first.
    emptied: Vec<(Segment, Excess)>,
    /// The number of the segment to open.
    opened: Option<i64>,
}

/// Decides about the segments in use, in the order of their numbers.
fn rotation(segments: &[Segment], bounds: MessageLogBounds) -> Rotation {
    let mut rotation = Rotation::default();
    let Some((open, closed)) = segments.split_last() else {
        return Rotation { opened: Some(0), ..rotation };
    };
    // A closed segment ends when its successor is opened.
    let successors = closed.iter().skip(1).chain([open]);
    let mut total: u64 = segments.iter().map(|segment| segment.bytes).sum();
    for (segment, successor) in closed.iter().zip(successors) {
        let excess = match (successor.age > bounds.age, total > bounds.bytes) {
            (true, _) => Excess::Age,
            (false, true) => Excess::Size,
            (false, false) => break,
        };
        rotation.emptied.push((*segment, excess));
        total -= segment.bytes;
    }
    let is_full = open.age > bounds.age / PART || open.bytes > bounds.bytes / u64::from(PART);
    if is_full && open.bytes > 0 {
        let next = open.number + 1;
        let left = closed.iter().skip(rotation.emptied.len());
        let in_the_way = left.take_while(|segment| segment.number <= next - SEGMENTS);
        rotation.emptied.extend(in_the_way.map(|segment| (*segment, Excess::Size)));
        rotation.opened = Some(next);
    }
    rotation
}

/// Keeps the log within its bounds until `stop`, while this process leads.
pub(crate) async fn keep(
    outbox: &Outbox,
    bounds: MessageLogBounds,
    holder: Uuid,
    stop: &CancellationToken,
) {
    let pause = (bounds.age / (2 * PART)).clamp(Duration::from_millis(100), CHECK_INTERVAL);
    while stop.run_until_cancelled(sleep(pause)).await.is_some() {
        if !outbox.waker().is_leading() {
            continue;
        }
        let checked = check(outbox.pool(), bounds, holder);
        if let Err(error) = with_timeout("checking the message log", CHECK_TIMEOUT, checked).await {
            tracing::debug!(causes = ?causes(&error), "failed to check the message log");
        }
    }
}

async fn check(pool: &PgPool, bounds: MessageLogBounds, holder: Uuid) -> Result<(), Error> {
    let segments = read_segments(pool).await?;
    let Rotation { emptied, opened } = rotation(&segments, bounds);
    for (segment, excess) in emptied {
        if !empty(pool, segment, holder).await? {
            return Ok(());
        }
        let (number, bytes) = (segment.number, segment.bytes);
        match excess {
            Excess::Age => tracing::info!(number, bytes, "old messages were deleted from the log"),
            Excess::Size => {
                metrics::counter!("messaging_log_segments_dropped_total").increment(1);
                tracing::warn!(
                    number,
                    bytes,
                    bound = bounds.bytes,
                    "the message log is full; its oldest messages were deleted before their time"
                );
            }
        }
    }
    if let Some(number) = opened {
        open(pool, number, holder).await?;
    }
    Ok(())
}

async fn read_segments(pool: &PgPool) -> Result<Vec<Segment>, Error> {
    let rows = sqlx::query!(
        r#"
        select number, extract(epoch from now() - opened_at)::float8 as "age!",
            pg_relation_size(c.oid) + pg_relation_size(c.reltoastrelid) as "bytes!"
        from messaging.message_segment
        join pg_class c on c.oid = format('messaging.message_%s', segment)::regclass
        order by number
        "#
    );
    let segments = rows.fetch_all(pool).await?.into_iter().map(|row| Segment {
        number: row.number,
        age: Duration::try_from_secs_f64(row.age).unwrap_or_default(),
        bytes: u64::try_from(row.bytes).unwrap_or_default(),
    });
    Ok(segments.collect())
}

/// Empties a segment. Returns false if another process leads.
async fn empty(pool: &PgPool, segment: Segment, holder: Uuid) -> Result<bool, Error> {
    let mut tx = pool.begin().await?;
    if !is_held(&mut tx, holder).await? {
        return Ok(false);
    }
    // A reader may hold the segment for a moment; the next check tries again.
    let truncate =
        format!("set local lock_timeout = '1s'; truncate messaging.message_{}", segment.table());
    sqlx::raw_sql(AssertSqlSafe(truncate)).execute(&mut *tx).await?;
    sqlx::query!("delete from messaging.message_segment where number = $1", segment.number)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(true)
}

/// Opens the segment with this number.
async fn open(pool: &PgPool, number: i64, holder: Uuid) -> Result<(), Error> {
    let mut tx = pool.begin().await?;
    if is_held(&mut tx, holder).await? {
        let table = i16::try_from(number.rem_euclid(SEGMENTS)).unwrap_or_default();
        sqlx::query!(
            "insert into messaging.message_segment (segment, number) values ($1, $2) on conflict do nothing",
            table,
            number
        )
        .execute(&mut *tx)
        .await?;
    }
    Ok(tx.commit().await?)
}

async fn is_held(connection: &mut PgConnection, holder: Uuid) -> Result<bool, Error> {
    let held = sqlx::query_scalar!(
        r#"
        select 1 as "held!" from messaging.process_lease
        where name = $1 and holder = $2
        for share
        "#,
        LEASE,
        holder
    );
    Ok(held.fetch_optional(connection).await?.is_some())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Excess, MessageLogBounds, Rotation, Segment, rotation};

    const BOUNDS: MessageLogBounds = MessageLogBounds { age: Duration::from_mins(1), bytes: 6_000 };

    fn segment(number: i64, age: u64, bytes: u64) -> Segment {
        Segment { number, age: Duration::from_secs(age), bytes }
    }

    #[test]
    fn the_first_segment_is_opened() {
        let expected = Rotation { emptied: vec![], opened: Some(0) };
        assert_eq!(rotation(&[], BOUNDS), expected);
    }

    #[test]
    fn a_segment_is_closed_by_age_or_by_size_but_not_if_empty() {
        assert_eq!(rotation(&[segment(0, 10, 1_000)], BOUNDS).opened, None);
        assert_eq!(rotation(&[segment(0, 11, 1_000)], BOUNDS).opened, Some(1));
        assert_eq!(rotation(&[segment(0, 1, 1_001)], BOUNDS).opened, Some(1));
        assert_eq!(rotation(&[segment(0, 1_000, 0)], BOUNDS).opened, None);
    }

    #[test]
    fn a_segment_is_emptied_when_its_last_message_is_too_old() {
        let segments = [segment(3, 200, 10), segment(4, 61, 10), segment(5, 60, 10)];
        let expected = vec![(segments[0], Excess::Age)];
        assert_eq!(rotation(&segments, BOUNDS).emptied, expected);
    }

    #[test]
    fn the_oldest_segments_make_room() {
        let segments = [segment(3, 50, 3_000), segment(4, 40, 3_000), segment(5, 1, 900)];
        let expected = vec![(segments[0], Excess::Size)];
        assert_eq!(rotation(&segments, BOUNDS).emptied, expected);
    }

    #[test]
    fn the_ring_has_a_table_for_every_segment() {
        // Young and small, but all eight tables are in use.
        let mut segments: Vec<Segment> = (5..12).map(|number| segment(number, 30, 10)).collect();
        segments.push(segment(12, 11, 10));
        let rotation = rotation(&segments, BOUNDS);
        assert_eq!(rotation.opened, Some(13));
        assert_eq!(rotation.emptied, vec![(segments[0], Excess::Size)]);
        assert_eq!(segments[0].table(), segment(13, 0, 0).table());
    }
}
