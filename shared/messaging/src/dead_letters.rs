//! Dead letters: what could not be handled, kept with its reason, listed, sent again or discarded.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use contracts::Envelope;
use xxhash_rust::xxh3::xxh3_128;

use crate::{
    Error, Kit, Topology, Transaction,
    consumer::{
        core::{Incoming, Position},
        parking,
    },
    error::printable,
    topology::Guard,
};

/// Why an event became a dead letter whose predecessor never came.
pub(crate) const MISSING_PREDECESSOR: &str = "missing_predecessor";

/// A dead letter as people read it.
#[derive(Debug, Clone, Serialize)]
pub struct DeadLetter {
    /// Names it in commands.
    pub id: Uuid,
    /// The consumer that gave up, such as `inventory.order`.
    pub consumer: String,
    /// Who said the event; none where the message could not be read.
    pub source: Option<String>,
    /// The key of the event.
    pub key: Option<String>,
    /// The number of the event.
    pub sequence: Option<i64>,
    /// The type of the event.
    pub kind: Option<String>,
    /// A stable code.
    pub reason: String,
    /// The errors, outermost first.
    pub causes: Vec<String>,
    /// How often it was tried.
    pub attempts: i32,
    /// The trace it belongs to.
    pub traceparent: Option<String>,
    /// The envelope, or the whole body where it is none.
    pub payload: String,
    /// Whether later events of the key wait for it.
    pub blocks: bool,
    /// `pending`, `redriven` or `discarded`.
    pub state: String,
    /// When it became one.
    pub died_at: DateTime<Utc>,
    /// When it was dealt with.
    pub resolved_at: Option<DateTime<Utc>>,
}

/// The newest dead letters, at most `limit`; only those that nobody has dealt with yet if `pending`.
pub async fn list(
    connection: &mut PgConnection,
    pending: bool,
    limit: i64,
) -> Result<Vec<DeadLetter>, Error> {
    let rows = sqlx::query!(
        r#"
        select id, consumer, source, key, seq as sequence, kind, reason, causes, attempts, traceparent, payload, blocks,
            state, died_at, resolved_at
        from messaging.dead_letter
        where state = 'pending' or not $1
        order by died_at desc, id
        limit $2
        "#,
        pending,
        limit,
    )
    .fetch_all(connection)
    .await?;
    let letters = rows.into_iter().map(|row| DeadLetter {
        id: row.id,
        consumer: row.consumer,
        source: row.source,
        key: row.key,
        sequence: row.sequence,
        kind: row.kind,
        reason: row.reason,
        causes: row.causes,
        attempts: row.attempts,
        traceparent: row.traceparent,
        // What is no text is not to be hidden: it is shown with marks where it cannot be read.
        payload: String::from_utf8_lossy(&row.payload).into_owned(),
        blocks: row.blocks,
        state: row.state,
        died_at: row.died_at,
        resolved_at: row.resolved_at,
    });
    Ok(letters.collect())
}

/// How many nobody has dealt with yet.
pub async fn count_pending(connection: &mut PgConnection) -> Result<i64, Error> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from messaging.dead_letter where state = 'pending'"#
    )
    .fetch_one(connection)
    .await?;
    Ok(count)
}

/// Why a dead letter was not dealt with.
#[derive(Debug, thiserror::Error)]
pub enum Unresolved {
    /// There is none of this id, or somebody has dealt with it already.
    #[error("there is no pending dead letter {0}")]
    NotPending(Uuid),
    /// What it holds cannot be handled again: it can only be discarded.
    #[error("the dead letter cannot be sent again: {0}")]
    NotRedrivable(&'static str),
    /// Its predecessor has still not come.
    #[error(
        "the event is number {sequence} of its key, and the last that took effect is number {last}"
    )]
    NotYet {
        /// The number of the dead letter.
        sequence: i64,
        /// The number of the last event that took effect.
        last: i64,
    },
    /// The handler failed again.
    #[error("the handler failed again: {}", .0.join(": "))]
    FailedAgain(Vec<String>),
    /// The database failed.
    #[error(transparent)]
    Kit(#[from] Error),
}

/// Hands a dead letter to its handler once more. It takes effect once, also when the process dies in the middle: that the
/// letter is dealt with commits together with the effect.
pub async fn redrive(kit: &Kit, topology: &Topology, id: Uuid) -> Result<(), Unresolved> {
    let mut tx = kit.begin().await?;
    let letter = take(&mut tx, id).await?;
    let subscription = topology
        .subscriptions()
        .iter()
        .find(|subscription| subscription.consumer(topology.service()) == letter.consumer)
        .ok_or(Unresolved::NotRedrivable("nobody consumes it any more"))?;
    let envelope = letter.envelope().ok_or(Unresolved::NotRedrivable("it is no event"))?;
    let is_of_state = matches!(subscription.guard(), Guard::Newest(_));
    if is_of_state {
        begin_cursor(&mut tx, &letter.consumer, &envelope).await?;
    }
    let last = last_of(&mut tx, &letter.consumer, &envelope).await?;
    let sequence = envelope.sequence;
    let again = if is_of_state {
        again_of_state(sequence, last)
    } else {
        let is_behind_another = is_behind_another(&mut tx, &letter.consumer, &envelope).await?;
        again(sequence, letter.passed, last, is_behind_another)
    };
    if again == Again::NotYet {
        return Err(Unresolved::NotYet { sequence, last });
    }
    let handler = subscription.handler(&envelope.kind).filter(|_| again == Again::Effect);
    if let Some(handler) = handler {
        let incoming = Incoming {
            envelope: envelope.clone(),
            attempts: u32::try_from(letter.attempts).unwrap_or_default(),
            causes: Vec::new(),
            route: (String::new(), String::new()),
        };
        let failed = match handler.handle(&mut tx, &[&incoming]).await {
            Ok(refusals) => refusals.into_values().next(),
            Err(failure) => Some(failure),
        };
        if let Some(failure) = failed {
            tx.rollback().await?;
            return Err(Unresolved::FailedAgain(crate::error::causes(&*failure.cause)));
        }
    }
    if is_of_state {
        resolve(&mut tx, id, "redriven").await?;
        if again == Again::Effect {
            advance(&mut tx, &letter.consumer, &envelope).await?;
        }
        return Ok(tx.commit().await?);
    }
    finish(kit, tx, id, &letter.consumer, "redriven", Some(&envelope)).await
}

/// What sending a dead letter again comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// What stands before it must be dealt with first.
    NotYet,
    /// Its event takes effect now.
    Effect,
    /// Its event has taken effect: it only remains to write down that the letter is dealt with.
    Mark,
}

/// Decides about sending a dead letter again: number `sequence` of its key, whether the cursor has gone past it without an
/// effect, the `last` number of the cursor, and whether another letter of the key blocks this one.
pub(crate) const fn again(
    sequence: i64,
    passed: bool,
    last: i64,
    is_behind_another: bool,
) -> Again {
    if sequence > last + 1 || is_behind_another {
        Again::NotYet
    } else if !passed && sequence <= last {
        // An event that waited in vain for its predecessor may have come once more together with it, and taken effect.
        Again::Mark
    } else {
        Again::Effect
    }
}

/// The same for a letter of full state: it takes effect if nothing newer of its key has.
const fn again_of_state(sequence: i64, last: i64) -> Again {
    if sequence <= last { Again::Mark } else { Again::Effect }
}

/// Gives a dead letter up for good: later events of its key go on without it. If it waited for a predecessor, that is given
/// up as well, with all between the two. A letter of full state never held anything back.
pub async fn discard(kit: &Kit, id: Uuid) -> Result<(), Unresolved> {
    let mut tx = kit.begin().await?;
    let letter = take(&mut tx, id).await?;
    let envelope = letter.envelope();
    if letter.is_of_state() {
        resolve(&mut tx, id, "discarded").await?;
        return Ok(tx.commit().await?);
    }
    if let Some(envelope) = &envelope {
        let last = last_of(&mut tx, &letter.consumer, envelope).await?;
        if is_behind_another(&mut tx, &letter.consumer, envelope).await? {
            return Err(Unresolved::NotYet { sequence: envelope.sequence, last });
        }
    }
    finish(kit, tx, id, &letter.consumer, "discarded", envelope.as_ref()).await
}

/// Writes down how a letter was dealt with, and lets its key go on, unless another letter blocks it as well.
async fn finish(
    kit: &Kit,
    mut tx: Transaction,
    id: Uuid,
    consumer: &str,
    state: &str,
    envelope: Option<&Envelope>,
) -> Result<(), Unresolved> {
    resolve(&mut tx, id, state).await?;
    if let Some(envelope) = envelope {
        let Envelope { source, aggregate, subject: key, sequence, .. } = envelope;
        // If the cursor leaps now, it goes past the letters in between without an effect of theirs: sent again, they have one.
        sqlx::query!(
            r#"
            update messaging.dead_letter d set passed = true
            from messaging.cursor c
            where c.consumer = $1 and c.source = $2 and c.aggregate = $3 and c.key = $4
                and d.consumer = $1 and d.source = $2 and d.aggregate = $3 and d.key = $4
                and d.seq > c.last and d.seq < $5 and d.state = 'pending'
            "#,
            consumer,
            source,
            aggregate,
            key,
            sequence,
        )
        .execute(&mut *tx)
        .await
        .map_err(Error::from)?;
        sqlx::query!(
            r#"
            update messaging.cursor
            set last = greatest(last, $5), hold = case
                when hold = 'blocked' and not exists (
                    select from messaging.dead_letter d
                    where d.consumer = $1 and d.source = $2 and d.aggregate = $3 and d.key = $4
                        and d.state = 'pending' and d.blocks and d.passed
                ) then 'parked'
                else hold
            end
            where consumer = $1 and source = $2 and aggregate = $3 and key = $4
            "#,
            consumer,
            source,
            aggregate,
            key,
            sequence,
        )
        .execute(&mut *tx)
        .await
        .map_err(Error::from)?;
        parking::settle(&mut tx, consumer, aggregate, &(source.clone(), key.clone())).await?;
    }
    tx.commit().await?;
    kit.unparked().notify_waiters();
    Ok(())
}

/// A pending letter, locked.
struct Taken {
    consumer: String,
    attempts: i32,
    payload: Vec<u8>,
    reason: String,
    passed: bool,
}

impl Taken {
    /// Whether its subscription is one to full state, whose cursor never goes past a letter. Of those with cursors that is so only
    /// where a predecessor is missing.
    fn is_of_state(&self) -> bool {
        !self.passed && self.reason != MISSING_PREDECESSOR
    }

    /// The event that it holds, if it is one.
    fn envelope(&self) -> Option<Envelope> {
        serde_json::from_slice(&self.payload).ok()
    }
}

async fn take(connection: &mut PgConnection, id: Uuid) -> Result<Taken, Unresolved> {
    let letter = sqlx::query_as!(
        Taken,
        r#"
        select consumer, attempts, payload, reason, passed from messaging.dead_letter
        where id = $1 and state = 'pending'
        for update
        "#,
        id,
    )
    .fetch_optional(connection)
    .await
    .map_err(Error::from)?;
    letter.ok_or(Unresolved::NotPending(id))
}

/// The number of the last event of the letter's key that took effect; the cursor stays locked.
async fn last_of(
    connection: &mut PgConnection,
    consumer: &str,
    envelope: &Envelope,
) -> Result<i64, Error> {
    let last = sqlx::query_scalar!(
        r#"
        select last from messaging.cursor
        where consumer = $1 and source = $2 and aggregate = $3 and key = $4
        for update
        "#,
        consumer,
        envelope.source,
        envelope.aggregate,
        envelope.subject,
    )
    .fetch_optional(connection)
    .await?;
    Ok(last.unwrap_or(Position::START.last))
}

/// Gives the key of a letter a cursor at its beginning if it has none, so that there is something to lock: what is newer must not
/// take effect in between.
async fn begin_cursor(
    connection: &mut PgConnection,
    consumer: &str,
    envelope: &Envelope,
) -> Result<(), Error> {
    sqlx::query!(
        r#"
        insert into messaging.cursor (consumer, source, aggregate, key, last) values ($1, $2, $3, $4, $5)
        on conflict do nothing
        "#,
        consumer,
        envelope.source,
        envelope.aggregate,
        envelope.subject,
        Position::START.last,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Moves the locked cursor of a letter's key to its number.
async fn advance(
    connection: &mut PgConnection,
    consumer: &str,
    envelope: &Envelope,
) -> Result<(), Error> {
    sqlx::query!(
        r#"
        update messaging.cursor set last = $5
        where consumer = $1 and source = $2 and aggregate = $3 and key = $4
        "#,
        consumer,
        envelope.source,
        envelope.aggregate,
        envelope.subject,
        envelope.sequence,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Whether an earlier dead letter blocks the key of this one: that must be dealt with first.
async fn is_behind_another(
    connection: &mut PgConnection,
    consumer: &str,
    envelope: &Envelope,
) -> Result<bool, Error> {
    let blocked = sqlx::query_scalar!(
        r#"
        select exists (
            select from messaging.dead_letter
            where consumer = $1 and source = $2 and aggregate = $3 and key = $4 and seq < $5
                and state = 'pending' and blocks
        ) as "blocked!"
        "#,
        consumer,
        envelope.source,
        envelope.aggregate,
        envelope.subject,
        envelope.sequence,
    )
    .fetch_one(connection)
    .await?;
    Ok(blocked)
}

async fn resolve(connection: &mut PgConnection, id: Uuid, state: &str) -> Result<(), Error> {
    sqlx::query!(
        "update messaging.dead_letter set state = $2, resolved_at = now() where id = $1",
        id,
        state,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What became a dead letter, and why.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Burial<'a> {
    pub(crate) consumer: &'a str,
    pub(crate) reason: &'a str,
    pub(crate) causes: &'a [String],
    pub(crate) blocks: bool,
    /// Whether the cursor goes past it.
    pub(crate) passed: bool,
    pub(crate) route: (&'a str, &'a str),
}

/// Writes an event as a dead letter. If it is one already, for want of its predecessor, and now the cursor goes past it, that is
/// written down: otherwise it would be taken for an event that has taken effect.
pub(crate) async fn bury(
    connection: &mut PgConnection,
    burial: Burial<'_>,
    incoming: &Incoming,
) -> Result<(), Error> {
    let envelope = &incoming.envelope;
    tracing::error!(
        consumer = burial.consumer,
        kind = envelope.kind,
        key = envelope.subject,
        sequence = envelope.sequence,
        reason = burial.reason,
        causes = ?burial.causes,
        "an event became a dead letter"
    );
    metrics::counter!("messaging_dead_letters_total", "reason" => burial.reason.to_owned())
        .increment(1);
    sqlx::query!(
        r#"
        insert into messaging.dead_letter as d
            (id, consumer, source, aggregate, key, seq, event_id, kind, exchange, routing_key, reason, causes, attempts,
             traceparent, payload, blocks, passed)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
        on conflict (consumer, source, aggregate, key, seq) where state = 'pending' and seq is not null do update set
            reason = excluded.reason, causes = excluded.causes, attempts = excluded.attempts, blocks = excluded.blocks,
            passed = true
        where excluded.passed and not d.passed
        "#,
        Uuid::now_v7(),
        burial.consumer,
        envelope.source,
        envelope.aggregate,
        envelope.subject,
        envelope.sequence,
        envelope.id.as_uuid(),
        envelope.kind,
        burial.route.0,
        burial.route.1,
        burial.reason,
        &printable(burial.causes),
        i32::try_from(incoming.attempts).unwrap_or(i32::MAX),
        envelope.traceparent,
        serde_json::to_vec(envelope)?,
        burial.blocks,
        burial.passed,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What came and is no event that is heard here.
#[derive(Debug)]
pub(crate) struct Unreadable {
    pub(crate) reason: &'static str,
    pub(crate) causes: Vec<String>,
    pub(crate) payload: Vec<u8>,
}

/// Writes what could not be read as a dead letter. It is named after its bytes and its way, so that the same delivery read
/// twice is one dead letter.
pub(crate) async fn bury_unreadable(
    connection: &mut PgConnection,
    consumer: &str,
    (exchange, routing_key): (&str, &str),
    Unreadable { reason, causes, payload }: &Unreadable,
) -> Result<(), Error> {
    tracing::error!(consumer, reason, ?causes, "what is no event became a dead letter");
    metrics::counter!("messaging_dead_letters_total", "reason" => *reason).increment(1);
    let way = [consumer.as_bytes(), exchange.as_bytes(), routing_key.as_bytes(), payload].join(&0);
    sqlx::query!(
        r#"
        insert into messaging.dead_letter
            (id, consumer, exchange, routing_key, reason, causes, attempts, payload, blocks, passed)
        values ($1, $2, $3, $4, $5, $6, 1, $7, false, false)
        on conflict do nothing
        "#,
        Uuid::new_v8(xxh3_128(&way).to_be_bytes()),
        consumer,
        exchange,
        routing_key,
        reason,
        &printable(causes),
        payload,
    )
    .execute(connection)
    .await?;
    Ok(())
}
