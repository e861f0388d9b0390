//! Many letters at once: those that fit a selection, and groups of those that died of the same cause.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{desk::Wanted, letter::DeadLetter};
use crate::{Error, Outbox};

/// Which letters. What is none selects nothing out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// The consumer that gave up.
    pub consumer: Option<String>,
    /// The stable code of the reason.
    pub reason: Option<String>,
    /// The type of the event; empty for what is no event.
    pub kind: Option<String>,
    /// The cause, as [`Group::cause`] has it.
    pub cause: Option<String>,
}

/// Pending letters of one consumer, reason, type and cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// The consumer that gave up, such as `inventory.order`.
    pub consumer: String,
    /// The stable code of the reason.
    pub reason: String,
    /// The type of the events; none where they are no events.
    pub kind: Option<String>,
    /// What they died of: the first line of the innermost error of the last attempt, with `…` for whatever has a digit in it and
    /// for quoted texts.
    pub cause: String,
    /// How many there are.
    pub count: i64,
    /// How many of them keep later events of their keys waiting.
    pub blocking: i64,
    /// When the first of them died.
    pub oldest: DateTime<Utc>,
    /// When the last of them died.
    pub newest: DateTime<Utc>,
    /// The last of them.
    pub example: Uuid,
}

/// The newest dead letters of a selection, at most `limit`, those behind the letter `after` if there is one; only those that nobody
/// has dealt with yet if `pending`.
pub async fn list(
    connection: &mut PgConnection,
    selection: &Selection,
    pending: bool,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<DeadLetter>, Error> {
    let rows = sqlx::query_as!(
        super::letter::Row,
        r#"
        select id, consumer, source, aggregate, key, seq as sequence, event_id, kind, exchange, routing_key, reason, cause as "cause!",
            causes, attempts, traceparent, payload, original, edited_at, blocks, state, died_at, resolved_at
        from messaging.dead_letter
        where (state = 'pending' or not $1)
            and ($2::text is null or consumer = $2) and ($3::text is null or reason = $3)
            and ($4::text is null or coalesce(kind, '') = $4) and ($5::text is null or cause = $5)
            and ($6::uuid is null or (died_at, id) < (select died_at, id from messaging.dead_letter where id = $6))
        order by died_at desc, id desc
        limit $7
        "#,
        pending,
        selection.consumer.as_deref(),
        selection.reason.as_deref(),
        selection.kind.as_deref(),
        selection.cause.as_deref(),
        after,
        limit,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(DeadLetter::from).collect())
}

/// Whether there is a letter of this id, dealt with or not.
pub async fn exists(connection: &mut PgConnection, id: Uuid) -> Result<bool, Error> {
    let exists = sqlx::query_scalar!(
        r#"select exists (select from messaging.dead_letter where id = $1) as "exists!""#,
        id
    );
    Ok(exists.fetch_one(connection).await?)
}

/// How many nobody has dealt with yet.
pub async fn count_pending(connection: &mut PgConnection) -> Result<i64, Error> {
    count_selected(connection, &Selection::default()).await
}

/// How many of a selection nobody has dealt with yet.
pub(super) async fn count_selected(
    connection: &mut PgConnection,
    selection: &Selection,
) -> Result<i64, Error> {
    let count = sqlx::query_scalar!(
        r#"
        select count(*) as "count!" from messaging.dead_letter
        where state = 'pending'
            and ($1::text is null or consumer = $1) and ($2::text is null or reason = $2)
            and ($3::text is null or coalesce(kind, '') = $3) and ($4::text is null or cause = $4)
        "#,
        selection.consumer.as_deref(),
        selection.reason.as_deref(),
        selection.kind.as_deref(),
        selection.cause.as_deref(),
    )
    .fetch_one(connection)
    .await?;
    Ok(count)
}

/// All pending letters by what they died of, the largest groups first.
pub async fn groups(connection: &mut PgConnection) -> Result<Vec<Group>, Error> {
    let groups = sqlx::query_as!(
        Group,
        r#"
        select consumer, reason, kind, cause as "cause!", count(*) as "count!", count(*) filter (where blocks) as "blocking!",
            min(died_at) as "oldest!", max(died_at) as "newest!", (array_agg(id order by died_at desc))[1] as "example!"
        from messaging.dead_letter
        where state = 'pending'
        group by consumer, reason, kind, cause
        order by count(*) desc, consumer, reason, kind, cause
        "#,
    )
    .fetch_all(connection)
    .await?;
    Ok(groups)
}

/// A letter with what must be known to lock it.
#[derive(Debug)]
pub(super) struct Pick {
    pub(super) consumer: String,
    pub(super) aggregate: String,
    pub(super) wanted: Wanted,
}

/// The next pending letters of a selection that hold an event, at most `limit`, all of one consumer and aggregate: by key and
/// number, behind the letter `after`.
pub(super) async fn pick(
    outbox: &Outbox,
    selection: &Selection,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Pick>, Error> {
    let rows = sqlx::query!(
        r#"
        select id, consumer, source as "source!", aggregate as "aggregate!", key as "key!"
        from messaging.dead_letter
        where state = 'pending' and seq is not null
            and ($1::text is null or consumer = $1) and ($2::text is null or reason = $2)
            and ($3::text is null or coalesce(kind, '') = $3) and ($4::text is null or cause = $4)
            and ($5::uuid is null or (consumer, source, aggregate, key, seq) > (
                select consumer, source, aggregate, key, seq from messaging.dead_letter where id = $5
            ))
        order by consumer, source, aggregate, key, seq
        limit $6
        "#,
        selection.consumer.as_deref(),
        selection.reason.as_deref(),
        selection.kind.as_deref(),
        selection.cause.as_deref(),
        after,
        limit,
    )
    .fetch_all(outbox.pool())
    .await?;
    let mut picked: Vec<Pick> = rows
        .into_iter()
        .map(|row| Pick {
            consumer: row.consumer,
            aggregate: row.aggregate,
            wanted: Wanted { id: row.id, key: (row.source, row.key) },
        })
        .collect();
    let of_first = |letter: &Pick| {
        (&letter.consumer, &letter.aggregate) == (&picked[0].consumer, &picked[0].aggregate)
    };
    let together = picked.iter().take_while(|letter| of_first(letter)).count();
    picked.truncate(together);
    Ok(picked)
}
