//! Declares events lost, so that the later events of their key continue without them.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::plan::missing_before;
use crate::{
    consume::{
        cursors, dead_letter::MISSING_PREDECESSOR, parking, plan::Position, received_event::Key,
    },
    error::Error,
    publish::outbox::Outbox,
};

/// The longest reason, in characters.
pub const MAX_REASON: usize = 500;

/// The missing events of a key, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct MissingEvents {
    pub first: i64,
    pub last: i64,
}

/// What an operator declares.
#[derive(Debug, Clone, Copy)]
pub struct Declaration<'a> {
    /// The numbers that are lost: exactly those that are missing, see [`DeadLetterDetails`](super::DeadLetterDetails).
    pub lost: MissingEvents,
    /// Why they are lost: 1 to [`MAX_REASON`] characters.
    pub reason: &'a str,
    /// Who declares it.
    pub declared_by: Option<&'a str>,
}

/// Events of a key that were declared lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LostEvents {
    pub consumer: String,
    pub source: String,
    pub aggregate: String,
    pub key: String,
    pub first: i64,
    pub last: i64,
    pub reason: String,
    pub declared_by: Option<String>,
    pub declared_at: DateTime<Utc>,
    /// The numbers that arrived after all. Each became a dead letter `declared_lost`.
    pub arrived: Vec<i64>,
}

/// Why events were not declared lost.
#[derive(Debug, thiserror::Error)]
pub enum DeclareLostError {
    #[error("there is no dead letter {0}")]
    Unknown(Uuid),
    #[error("no event is missing before the event of the dead letter")]
    NothingMissing,
    /// Other numbers are missing now.
    #[error("the events from {} to {} of the key are missing", .0.first, .0.last)]
    OthersMissing(MissingEvents),
    /// The reason is empty or too long.
    #[error("a reason of 1 to {MAX_REASON} characters is required")]
    InvalidReason,
    #[error(transparent)]
    Messaging(#[from] Error),
}

/// The key of a dead letter whose event waits, or waited, for its predecessor.
#[derive(Debug)]
struct WaitingKey {
    consumer: String,
    aggregate: String,
    key: Key,
}

/// Declares the events lost that are missing before the dead letter `id`. The cursor moves over them, and the events that wait behind
/// them are applied in order, which resolves their dead letters.
///
/// A repeated call with the same numbers returns the first declaration. If a lost event arrives after all, it is not applied, but
/// becomes a dead letter `declared_lost`.
pub async fn declare_lost(
    outbox: &Outbox,
    id: Uuid,
    declaration: Declaration<'_>,
) -> Result<LostEvents, DeclareLostError> {
    let Declaration { lost, reason, declared_by } = declaration;
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > MAX_REASON || reason.contains('\0') {
        return Err(DeclareLostError::InvalidReason);
    }
    let mut tx = outbox.begin().await?;
    let waiting = find(&mut tx, id).await?;
    let WaitingKey { consumer, aggregate, key } = &waiting;
    let keys = BTreeSet::from([key.clone()]);
    let before = cursors::lock(&mut tx, consumer, aggregate, &keys).await?;
    if let Some(done) = declared(&mut tx, &waiting, lost).await? {
        tx.rollback().await;
        return Ok(done);
    }
    let position = before.get(key).copied().unwrap_or(Position::START);
    match missing(&mut tx, &waiting, position).await? {
        Some(found) if found == lost => {}
        Some(others) => return Err(DeclareLostError::OthersMissing(others)),
        None => return Err(DeclareLostError::NothingMissing),
    }
    let recorded = record(&mut tx, &waiting, lost, reason, declared_by).await?;
    let mut after = before.clone();
    after.insert(key.clone(), Position { last: lost.last, ..position });
    cursors::save(&mut tx, consumer, aggregate, &before, &after).await?;
    parking::settle(&mut tx, consumer, aggregate, [key]).await?;
    tx.commit().await?;
    outbox.parking_signal().send_replace(());
    let MissingEvents { first, last } = lost;
    tracing::warn!(
        consumer,
        key = key.1,
        first,
        last,
        reason,
        declared_by,
        "events were declared lost"
    );
    let count = u64::try_from(last - first + 1).unwrap_or_default();
    metrics::counter!("messaging_events_declared_lost_total", "consumer" => consumer.clone())
        .increment(count);
    Ok(recorded)
}

/// The events that are missing before a pending dead letter, if it waits for its predecessor.
pub(super) async fn missing_before_letter(
    connection: &mut PgConnection,
    id: Uuid,
) -> Result<Option<MissingEvents>, Error> {
    let waiting = match find(connection, id).await {
        Ok(waiting) => waiting,
        Err(DeclareLostError::Messaging(error)) => return Err(error),
        Err(_) => return Ok(None),
    };
    let last = sqlx::query_scalar!(
        "select last from messaging.cursor where consumer = $1 and aggregate = $2 and source = $3 and key = $4",
        waiting.consumer,
        waiting.aggregate,
        waiting.key.0,
        waiting.key.1,
    )
    .fetch_optional(&mut *connection)
    .await?;
    let position = Position { last: last.unwrap_or_default(), ..Position::START };
    missing(connection, &waiting, position).await
}

/// The newest declarations, at most `limit`.
pub async fn lost_events(
    connection: &mut PgConnection,
    limit: i64,
) -> Result<Vec<LostEvents>, Error> {
    let events = sqlx::query_as!(
        LostEvents,
        r#"
        select consumer, source, aggregate, key, first, last, reason, declared_by, declared_at, arrived
        from messaging.lost_event
        order by declared_at desc, consumer, source, aggregate, key, first
        limit $1
        "#,
        limit,
    )
    .fetch_all(connection)
    .await?;
    Ok(events)
}

/// The key of a dead letter, resolved or not. Only letters with this reason concern missing events.
async fn find(connection: &mut PgConnection, id: Uuid) -> Result<WaitingKey, DeclareLostError> {
    let row = sqlx::query!(
        "select consumer, source, aggregate, key, reason from messaging.dead_letter where id = $1",
        id,
    )
    .fetch_optional(connection)
    .await
    .map_err(Error::from)?;
    let row = row.ok_or(DeclareLostError::Unknown(id))?;
    match (row.source, row.aggregate, row.key) {
        (Some(source), Some(aggregate), Some(key)) if row.reason == MISSING_PREDECESSOR => {
            Ok(WaitingKey { consumer: row.consumer, aggregate, key: (source, key) })
        }
        _ => Err(DeclareLostError::NothingMissing),
    }
}

/// The declaration of exactly these events, if there is one.
async fn declared(
    connection: &mut PgConnection,
    WaitingKey { consumer, aggregate, key: (source, key) }: &WaitingKey,
    lost: MissingEvents,
) -> Result<Option<LostEvents>, Error> {
    let declared = sqlx::query_as!(
        LostEvents,
        r#"
        select consumer, source, aggregate, key, first, last, reason, declared_by, declared_at, arrived
        from messaging.lost_event
        where consumer = $1 and aggregate = $2 and source = $3 and key = $4 and first = $5 and last = $6
        "#,
        consumer,
        aggregate,
        source,
        key,
        lost.first,
        lost.last,
    )
    .fetch_optional(connection)
    .await?;
    Ok(declared)
}

/// The events that are missing after `position`, before the first event that waits.
async fn missing(
    connection: &mut PgConnection,
    WaitingKey { consumer, aggregate, key: (source, key) }: &WaitingKey,
    position: Position,
) -> Result<Option<MissingEvents>, Error> {
    // Earlier versions did not park an event whose predecessor was missing.
    let first_waiting = sqlx::query_scalar!(
        r#"
        select min(seq) from (
            (
                select seq from messaging.parked
                where consumer = $1 and aggregate = $2 and source = $3 and key = $4 and seq > $5
                order by seq limit 1
            )
            union all
            select seq from messaging.dead_letter
            where consumer = $1 and aggregate = $2 and source = $3 and key = $4 and seq > $5
                and state = 'pending' and not passed
        ) waiting
        "#,
        consumer,
        aggregate,
        source,
        key,
        position.last,
    )
    .fetch_one(connection)
    .await?;
    let missing = missing_before(position.last, first_waiting);
    Ok(missing.map(|missing| MissingEvents { first: *missing.start(), last: *missing.end() }))
}

async fn record(
    connection: &mut PgConnection,
    WaitingKey { consumer, aggregate, key: (source, key) }: &WaitingKey,
    lost: MissingEvents,
    reason: &str,
    declared_by: Option<&str>,
) -> Result<LostEvents, Error> {
    let recorded = sqlx::query_as!(
        LostEvents,
        r#"
        insert into messaging.lost_event (consumer, aggregate, source, key, first, last, reason, declared_by)
        values ($1, $2, $3, $4, $5, $6, $7, $8)
        returning consumer, source, aggregate, key, first, last, reason, declared_by, declared_at, arrived
        "#,
        consumer,
        aggregate,
        source,
        key,
        lost.first,
        lost.last,
        reason,
        declared_by,
    )
    .fetch_one(connection)
    .await?;
    Ok(recorded)
}
