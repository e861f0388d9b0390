//! How something becomes a dead letter.

use sqlx::PgConnection;
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_128;

use crate::{Error, Transaction, consumer::core::Incoming, error::printable};

/// Why an event became a dead letter whose predecessor never came.
pub(crate) const MISSING_PREDECESSOR: &str = "missing_predecessor";

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
/// written down: otherwise it would be taken for an event that has taken effect. Says whether the letter is new.
///
/// It is counted when it is committed, and not each time that is tried.
pub(crate) async fn bury(
    tx: &mut Transaction,
    burial: Burial<'_>,
    incoming: &Incoming,
) -> Result<bool, Error> {
    let envelope = &incoming.envelope;
    let id = Uuid::now_v7();
    let written = sqlx::query_scalar!(
        r#"
        insert into messaging.dead_letter as d
            (id, consumer, source, aggregate, key, seq, event_id, kind, exchange, routing_key, reason, causes, attempts,
             traceparent, payload, blocks, passed)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
        on conflict (consumer, source, aggregate, key, seq) where state = 'pending' and seq is not null do update set
            reason = excluded.reason, causes = excluded.causes, attempts = excluded.attempts, blocks = excluded.blocks,
            passed = true
        where excluded.passed and not d.passed
        returning id
        "#,
        id,
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
    .fetch_optional(&mut **tx)
    .await?;
    let is_new = written == Some(id);
    if written.is_some() {
        tracing::error!(
            consumer = burial.consumer,
            kind = envelope.kind,
            key = envelope.subject,
            sequence = envelope.sequence,
            reason = burial.reason,
            causes = ?burial.causes,
            "an event became a dead letter"
        );
    }
    if is_new {
        let reason = burial.reason.to_owned();
        tx.after_commit(move || count(reason));
    }
    Ok(is_new)
}

/// Counts a dead letter.
fn count(reason: String) {
    metrics::counter!("messaging_dead_letters_total", "reason" => reason).increment(1);
}

/// What came and is no event that is heard here.
#[derive(Debug)]
pub(crate) struct Unreadable {
    pub(crate) reason: &'static str,
    pub(crate) causes: Vec<String>,
    pub(crate) payload: Vec<u8>,
}

/// Writes what could not be read as a dead letter. It is named after its bytes and its way, so that the same delivery read
/// twice is one dead letter, and counted once.
pub(crate) async fn bury_unreadable(
    connection: &mut PgConnection,
    consumer: &str,
    (exchange, routing_key): (&str, &str),
    Unreadable { reason, causes, payload }: &Unreadable,
) -> Result<(), Error> {
    let way = [consumer.as_bytes(), exchange.as_bytes(), routing_key.as_bytes(), payload].join(&0);
    let written = sqlx::query!(
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
    if written.rows_affected() > 0 {
        tracing::error!(consumer, reason, ?causes, "what is no event became a dead letter");
        count((*reason).to_owned());
    }
    Ok(())
}
