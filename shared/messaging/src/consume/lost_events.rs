//! Rows of `messaging.lost_event`: events that an operator declared lost, and that arrive after all.

use std::collections::HashSet;

use sqlx::PgConnection;

use super::{plan::Decision, received_event::ReceivedEvent};
use crate::error::Error;

/// Distinguishes events that arrive after they were declared lost from duplicates: both are behind the cursor.
pub(crate) async fn mark(
    connection: &mut PgConnection,
    consumer: &str,
    aggregate: &str,
    events: &[ReceivedEvent],
    decisions: &mut [Decision],
) -> Result<(), Error> {
    let behind = decisions.iter().enumerate().filter(|(_, one)| **one == Decision::Duplicate);
    let behind: Vec<usize> = behind.map(|(index, _)| index).collect();
    if behind.is_empty() {
        return Ok(());
    }
    let envelopes = || behind.iter().map(|index| &events[*index].envelope);
    let sources: Vec<&str> = envelopes().map(|one| one.source.as_str()).collect();
    let keys: Vec<&str> = envelopes().map(|one| one.subject.as_str()).collect();
    let sequences: Vec<i64> = envelopes().map(|one| one.sequence).collect();
    let lost = sqlx::query_scalar!(
        r#"
        select u.place as "place!"
        from unnest($3::text[], $4::text[], $5::bigint[]) with ordinality as u (source, key, seq, place)
        where exists (
            select from messaging.lost_event l
            where l.consumer = $1 and l.aggregate = $2 and l.source = u.source and l.key = u.key
                and u.seq between l.first and l.last
        )
        "#,
        consumer,
        aggregate,
        &sources as &[&str],
        &keys as &[&str],
        &sequences,
    )
    .fetch_all(connection)
    .await?;
    let lost: HashSet<i64> = lost.into_iter().collect();
    for (place, index) in (1..).zip(behind) {
        if lost.contains(&place) {
            decisions[index] = Decision::Late;
        }
    }
    Ok(())
}

/// Records that an event has arrived after it was declared lost. Returns the declaration as text, unless the
/// event had arrived before.
pub(super) async fn record_arrival(
    connection: &mut PgConnection,
    consumer: &str,
    event: &ReceivedEvent,
) -> Result<Option<String>, Error> {
    let envelope = &event.envelope;
    let declaration = sqlx::query!(
        r#"
        update messaging.lost_event set arrived = array_append(arrived, $5)
        where consumer = $1 and source = $2 and aggregate = $3 and key = $4 and $5 between first and last
            and not $5 = any(arrived)
        returning reason, declared_at
        "#,
        consumer,
        envelope.source,
        envelope.aggregate,
        envelope.subject,
        envelope.sequence,
    )
    .fetch_optional(connection)
    .await?;
    Ok(declaration.map(|row| {
        format!("the event was declared lost at {}: {}", row.declared_at.to_rfc3339(), row.reason)
    }))
}
