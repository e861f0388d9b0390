//! Records dead letters: rows of `messaging.dead_letter`.

use sqlx::PgConnection;
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_128;

use super::received_event::ReceivedEvent;
use crate::{
    error::{Error, without_nul},
    publish::transaction::Transaction,
};

/// The reason of a dead letter whose predecessor never arrived.
pub(crate) const MISSING_PREDECESSOR: &str = "missing_predecessor";

/// The reason of a dead letter whose event type the program does not know.
pub(crate) const UNKNOWN_TYPE: &str = "unknown_type";

/// The reason of a dead letter whose event arrived after an operator had declared it lost.
pub(crate) const DECLARED_LOST: &str = "declared_lost";

/// A dead letter to record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DeadLetterRecord<'a> {
    pub(crate) consumer: &'a str,
    pub(crate) reason: &'a str,
    pub(crate) causes: &'a [String],
    pub(crate) blocks: bool,
    /// Whether the cursor moves past its event.
    pub(crate) passed: bool,
    pub(crate) route: (&'a str, &'a str),
}

/// Records an event as a dead letter. If it is one already, because it waits for its predecessor or for a program
/// that knows its type, and now there is another reason, the letter is updated: if the cursor moves past it, its
/// event would count as applied. Returns whether the letter is new.
///
/// The metric counts letters after the commit, not attempts.
pub(super) async fn record(
    tx: &mut Transaction,
    letter: DeadLetterRecord<'_>,
    event: &ReceivedEvent,
) -> Result<bool, Error> {
    let envelope = &event.envelope;
    let id = Uuid::now_v7();
    let written = sqlx::query_scalar!(
        r#"
        insert into messaging.dead_letter as d
            (id, consumer, source, aggregate, key, seq, event_id, kind, exchange, routing_key, reason, causes, attempts,
             traceparent, payload, blocks, passed)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
        on conflict (consumer, source, aggregate, key, seq) where state = 'pending' and seq is not null do update set
            reason = excluded.reason, causes = excluded.causes, attempts = excluded.attempts, blocks = excluded.blocks,
            passed = excluded.passed
        where not d.passed and (excluded.passed or d.reason <> excluded.reason)
        returning id
        "#,
        id,
        letter.consumer,
        envelope.source,
        envelope.aggregate,
        envelope.subject,
        envelope.sequence,
        envelope.id.as_uuid(),
        envelope.kind,
        letter.route.0,
        letter.route.1,
        letter.reason,
        &without_nul(letter.causes),
        i32::try_from(event.attempts).unwrap_or(i32::MAX),
        envelope.traceparent,
        serde_json::to_vec(envelope)?,
        letter.blocks,
        letter.passed,
    )
    .fetch_optional(&mut **tx)
    .await?;
    let is_new = written == Some(id);
    // An unknown type is logged once, not for each event.
    if written.is_some() && letter.reason != UNKNOWN_TYPE {
        tracing::error!(
            consumer = letter.consumer,
            kind = envelope.kind,
            key = envelope.subject,
            sequence = envelope.sequence,
            reason = letter.reason,
            causes = ?letter.causes,
            "an event became a dead letter"
        );
    }
    if is_new {
        let reason = letter.reason.to_owned();
        tx.after_commit(move || count(reason));
    }
    Ok(is_new)
}

/// Resolves the dead letters of applied events: their predecessor has arrived after all, or a program knows their
/// type.
pub(super) async fn resolve_applied<'a>(
    connection: &mut PgConnection,
    consumer: &str,
    events: impl Iterator<Item = &'a ReceivedEvent>,
) -> Result<(), Error> {
    let (mut sources, mut aggregates, mut keys, mut sequences) = (vec![], vec![], vec![], vec![]);
    for ReceivedEvent { envelope, .. } in events {
        sources.push(envelope.source.as_str());
        aggregates.push(envelope.aggregate.as_str());
        keys.push(envelope.subject.as_str());
        sequences.push(envelope.sequence);
    }
    let resolved = sqlx::query!(
        r#"
        update messaging.dead_letter d set state = 'redriven', resolved_at = now()
        from unnest($2::text[], $3::text[], $4::text[], $5::bigint[]) as applied (source, aggregate, key, seq)
        where d.consumer = $1 and d.source = applied.source and d.aggregate = applied.aggregate
            and d.key = applied.key and d.seq = applied.seq and d.state = 'pending'
        "#,
        consumer,
        &sources as &[&str],
        &aggregates as &[&str],
        &keys as &[&str],
        &sequences,
    )
    .execute(connection)
    .await?;
    if resolved.rows_affected() > 0 {
        let letters = resolved.rows_affected();
        tracing::info!(
            consumer,
            letters,
            "events that waited have taken effect; their dead letters are resolved"
        );
    }
    Ok(())
}

fn count(reason: String) {
    metrics::counter!("messaging_dead_letters_total", "reason" => reason).increment(1);
}

/// A message, or a part of one, that is not a valid event of a subscription.
#[derive(Debug)]
pub(crate) struct UnreadableMessage {
    pub(crate) reason: &'static str,
    pub(crate) causes: Vec<String>,
    pub(crate) payload: Vec<u8>,
}

/// Records an unreadable message as a dead letter. Its id is a hash of content and route, so a redelivered
/// message is the same letter and is counted once.
pub(crate) async fn record_unreadable(
    connection: &mut PgConnection,
    consumer: &str,
    (exchange, routing_key): (&str, &str),
    UnreadableMessage { reason, causes, payload }: &UnreadableMessage,
) -> Result<(), Error> {
    let identity =
        [consumer.as_bytes(), exchange.as_bytes(), routing_key.as_bytes(), payload].join(&0);
    let written = sqlx::query!(
        r#"
        insert into messaging.dead_letter
            (id, consumer, exchange, routing_key, reason, causes, attempts, payload, blocks, passed)
        values ($1, $2, $3, $4, $5, $6, 1, $7, false, false)
        on conflict do nothing
        "#,
        Uuid::new_v8(xxh3_128(&identity).to_be_bytes()),
        consumer,
        exchange,
        routing_key,
        reason,
        &without_nul(causes),
        payload,
    )
    .execute(connection)
    .await?;
    if written.rows_affected() > 0 {
        tracing::error!(consumer, reason, ?causes, "an unreadable message became a dead letter");
        count((*reason).to_owned());
    }
    Ok(())
}
