//! Selections and groups of dead letters.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{details::DeadLetter, locked_batch::LetterRef};
use crate::{error::Error, publish::outbox::Outbox};

/// Selects letters. `None` matches all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    pub consumer: Option<String>,
    /// The stable reason code.
    pub reason: Option<String>,
    /// The event type; empty for unreadable messages.
    pub kind: Option<String>,
    /// The cause, see [`DeadLetterGroup::cause`].
    pub cause: Option<String>,
}

/// Pending letters of one consumer, reason, event type and cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeadLetterGroup {
    /// The consumer, such as `inventory.order`.
    pub consumer: String,
    /// The stable reason code.
    pub reason: String,
    /// `None` for unreadable messages.
    pub kind: Option<String>,
    /// The common cause: the first line of the innermost error of the last attempt, with `…` for words with
    /// digits and for quoted texts.
    pub cause: String,
    pub count: i64,
    /// How many of them block later events of their keys.
    pub blocking: i64,
    /// When the first letter was recorded.
    pub oldest: DateTime<Utc>,
    /// When the last letter was recorded.
    pub newest: DateTime<Utc>,
    /// The id of the last letter.
    pub example: Uuid,
}

/// The newest dead letters of a selection: at most `limit`, starting after the letter `after`, and only
/// unresolved ones if `pending`.
pub async fn list(
    connection: &mut PgConnection,
    selection: &Selection,
    pending: bool,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<DeadLetter>, Error> {
    let rows = sqlx::query_as!(
        super::details::DeadLetterRow,
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

/// Whether a letter with this id exists, resolved or not.
pub async fn exists(connection: &mut PgConnection, id: Uuid) -> Result<bool, Error> {
    let exists = sqlx::query_scalar!(
        r#"select exists (select from messaging.dead_letter where id = $1) as "exists!""#,
        id
    );
    Ok(exists.fetch_one(connection).await?)
}

/// The number of unresolved letters.
pub async fn count_pending(connection: &mut PgConnection) -> Result<i64, Error> {
    count_selected(connection, &Selection::default()).await
}

/// The number of unresolved letters of a selection.
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

/// All pending letters, grouped by cause, the largest groups first.
pub async fn groups(connection: &mut PgConnection) -> Result<Vec<DeadLetterGroup>, Error> {
    let groups = sqlx::query_as!(
        DeadLetterGroup,
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

/// A letter with everything needed to lock it.
#[derive(Debug)]
pub(super) struct SelectedLetter {
    pub(super) consumer: String,
    pub(super) aggregate: String,
    pub(super) letter: LetterRef,
}

/// The next pending letters of a selection that hold an event, in key order: at most `limit`, all of one
/// consumer and aggregate, starting after the letter `after`.
pub(super) async fn select_batch(
    outbox: &Outbox,
    selection: &Selection,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<SelectedLetter>, Error> {
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
    let mut selected: Vec<SelectedLetter> = rows
        .into_iter()
        .map(|row| SelectedLetter {
            consumer: row.consumer,
            aggregate: row.aggregate,
            letter: LetterRef { id: row.id, key: (row.source, row.key) },
        })
        .collect();
    let has_same_consumer = |letter: &SelectedLetter| {
        (&letter.consumer, &letter.aggregate) == (&selected[0].consumer, &selected[0].aggregate)
    };
    let count = selected.iter().take_while(|letter| has_same_consumer(letter)).count();
    selected.truncate(count);
    Ok(selected)
}
