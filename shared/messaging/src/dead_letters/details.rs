//! The representation of a dead letter for operators.

use chrono::{DateTime, Utc};
use envelope::{
    Envelope,
    schema::violations::{SchemaViolation, schema_violations},
};
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::declare_lost::{MissingEvents, missing_before_letter};
use crate::{
    error::{Error, causes},
    topology::Topology,
};

/// A dead letter as operators see it.
#[derive(Debug, Clone, Serialize)]
pub struct DeadLetter {
    pub id: Uuid,
    /// The consumer that gave up, such as `inventory.order`.
    pub consumer: String,
    /// The publisher; `None` for unreadable messages.
    pub source: Option<String>,
    pub aggregate: Option<String>,
    pub key: Option<String>,
    pub sequence: Option<i64>,
    pub event_id: Option<Uuid>,
    pub kind: Option<String>,
    /// The exchange of the message.
    pub exchange: Option<String>,
    /// Empty for messages of a stream.
    pub routing_key: Option<String>,
    /// A stable code.
    pub reason: String,
    /// The common cause of the group.
    pub cause: String,
    /// The errors, outermost first.
    pub causes: Vec<String>,
    /// The number of attempts; the number of starts if processes died over it.
    pub attempts: i32,
    pub traceparent: Option<String>,
    /// The envelope, or the whole body of an unreadable message.
    pub payload: String,
    /// The original payload, if the data was edited.
    pub original: Option<String>,
    /// The time of the last edit.
    pub edited_at: Option<DateTime<Utc>>,
    /// Whether later events of the key wait for it.
    pub blocks: bool,
    /// `pending`, `redriven` or `discarded`.
    pub state: String,
    /// When it was recorded.
    pub died_at: DateTime<Utc>,
    /// When it was redriven or discarded.
    pub resolved_at: Option<DateTime<Utc>>,
}

/// A row of `messaging.dead_letter`.
pub(super) struct DeadLetterRow {
    pub(super) id: Uuid,
    pub(super) consumer: String,
    pub(super) source: Option<String>,
    pub(super) aggregate: Option<String>,
    pub(super) key: Option<String>,
    pub(super) sequence: Option<i64>,
    pub(super) event_id: Option<Uuid>,
    pub(super) kind: Option<String>,
    pub(super) exchange: Option<String>,
    pub(super) routing_key: Option<String>,
    pub(super) reason: String,
    pub(super) cause: String,
    pub(super) causes: Vec<String>,
    pub(super) attempts: i32,
    pub(super) traceparent: Option<String>,
    pub(super) payload: Vec<u8>,
    pub(super) original: Option<Vec<u8>>,
    pub(super) edited_at: Option<DateTime<Utc>>,
    pub(super) blocks: bool,
    pub(super) state: String,
    pub(super) died_at: DateTime<Utc>,
    pub(super) resolved_at: Option<DateTime<Utc>>,
}

impl From<DeadLetterRow> for DeadLetter {
    fn from(row: DeadLetterRow) -> Self {
        // Invalid UTF-8 is shown with replacement characters.
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            id: row.id,
            consumer: row.consumer,
            source: row.source,
            aggregate: row.aggregate,
            key: row.key,
            sequence: row.sequence,
            event_id: row.event_id,
            kind: row.kind,
            exchange: row.exchange,
            routing_key: row.routing_key,
            reason: row.reason,
            cause: row.cause,
            causes: row.causes,
            attempts: row.attempts,
            traceparent: row.traceparent,
            payload: text(&row.payload),
            original: row.original.as_deref().map(text),
            edited_at: row.edited_at,
            blocks: row.blocks,
            state: row.state,
            died_at: row.died_at,
            resolved_at: row.resolved_at,
        }
    }
}

/// A dead letter with the schema check of its data.
#[derive(Debug, Clone, Serialize)]
pub struct DeadLetterDetails {
    #[serde(flatten)]
    pub letter: DeadLetter,
    /// `None` for unreadable messages, and for event types without a handler.
    #[serde(rename = "fit")]
    pub schema_check: Option<SchemaCheck>,
    /// The events for which it waits, if its predecessor is missing.
    pub missing: Option<MissingEvents>,
}

/// How the data of an event matches its type.
#[derive(Debug, Clone, Serialize)]
pub struct SchemaCheck {
    /// Why the handler cannot decode the data, outermost first; empty if it can.
    #[serde(rename = "unreadable")]
    pub decode_errors: Vec<String>,
    /// The violations of the JSON Schema of the handler's event type.
    #[serde(rename = "differences")]
    pub violations: Vec<SchemaViolation>,
}

/// Returns a dead letter with all details, resolved or not; `None` if the id is unknown.
pub async fn show(
    connection: &mut PgConnection,
    topology: &Topology,
    id: Uuid,
) -> Result<Option<DeadLetterDetails>, Error> {
    let row = sqlx::query_as!(
        DeadLetterRow,
        r#"
        select id, consumer, source, aggregate, key, seq as sequence, event_id, kind, exchange, routing_key, reason, cause as "cause!",
            causes, attempts, traceparent, payload, original, edited_at, blocks, state, died_at, resolved_at
        from messaging.dead_letter
        where id = $1
        "#,
        id,
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let schema_check = check_schema(topology, &row);
    let is_pending = row.state == "pending";
    let missing = if is_pending { missing_before_letter(connection, id).await? } else { None };
    Ok(Some(DeadLetterDetails { letter: row.into(), schema_check, missing }))
}

fn check_schema(topology: &Topology, row: &DeadLetterRow) -> Option<SchemaCheck> {
    row.sequence?;
    let envelope: Envelope = serde_json::from_slice(&row.payload).ok()?;
    let handler = topology.handler(&row.consumer, &envelope.kind)?;
    let decode_errors = handler.decode_key(&envelope).err().map(|error| causes(&error));
    let data = serde_json::from_str(envelope.data.get()).ok()?;
    Some(SchemaCheck {
        decode_errors: decode_errors.unwrap_or_default(),
        violations: schema_violations(&handler.contract().schema, &data),
    })
}
