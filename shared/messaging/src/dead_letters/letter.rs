//! A dead letter as people read it.

use chrono::{DateTime, Utc};
use envelope::{
    Envelope,
    schema::violations::{SchemaViolation, schema_violations},
};
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Error, Topology, error::causes};

/// A dead letter as people read it.
#[derive(Debug, Clone, Serialize)]
pub struct DeadLetter {
    /// Names it in commands.
    pub id: Uuid,
    /// The consumer that gave up, such as `inventory.order`.
    pub consumer: String,
    /// Who said the event; none where the message could not be read.
    pub source: Option<String>,
    /// What the event is about.
    pub aggregate: Option<String>,
    /// The key of the event.
    pub key: Option<String>,
    /// The number of the event.
    pub sequence: Option<i64>,
    /// The id of the event.
    pub event_id: Option<Uuid>,
    /// The type of the event.
    pub kind: Option<String>,
    /// The exchange that it came through.
    pub exchange: Option<String>,
    /// Its routing key; empty where it was read from a stream.
    pub routing_key: Option<String>,
    /// A stable code.
    pub reason: String,
    /// What it died of, as groups have it.
    pub cause: String,
    /// The errors, outermost first.
    pub causes: Vec<String>,
    /// How often it was tried; where processes died over it, as often as it was started.
    pub attempts: i32,
    /// The trace it belongs to.
    pub traceparent: Option<String>,
    /// The envelope, or the whole body where it is none.
    pub payload: String,
    /// The payload as it came, if its data was changed.
    pub original: Option<String>,
    /// When its data was last changed.
    pub edited_at: Option<DateTime<Utc>>,
    /// Whether later events of the key wait for it.
    pub blocks: bool,
    /// `pending`, `redriven` or `discarded`.
    pub state: String,
    /// When it became one.
    pub died_at: DateTime<Utc>,
    /// When it was dealt with.
    pub resolved_at: Option<DateTime<Utc>>,
}

/// A row of `messaging.dead_letter`.
pub(super) struct Row {
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

impl From<Row> for DeadLetter {
    fn from(row: Row) -> Self {
        // What is no text is not to be hidden: it is shown with marks where it cannot be read.
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

/// A dead letter, and how its data fits its type.
#[derive(Debug, Clone, Serialize)]
pub struct Shown {
    /// The letter.
    #[serde(flatten)]
    pub letter: DeadLetter,
    /// How its data fits its type; none where it is no event, or nobody here handles its type.
    pub fit: Option<Fit>,
}

/// How the data of an event fits its type.
#[derive(Debug, Clone, Serialize)]
pub struct Fit {
    /// Why the handler cannot read it, outermost first; empty if it can.
    pub unreadable: Vec<String>,
    /// Where it differs from the JSON Schema of the type that the handler reads.
    pub differences: Vec<SchemaViolation>,
}

/// A dead letter with everything that is known of it, also if it has been dealt with; none of this id is `None`.
pub async fn show(
    connection: &mut PgConnection,
    topology: &Topology,
    id: Uuid,
) -> Result<Option<Shown>, Error> {
    let row = sqlx::query_as!(
        Row,
        r#"
        select id, consumer, source, aggregate, key, seq as sequence, event_id, kind, exchange, routing_key, reason, cause as "cause!",
            causes, attempts, traceparent, payload, original, edited_at, blocks, state, died_at, resolved_at
        from messaging.dead_letter
        where id = $1
        "#,
        id,
    )
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let fit = fit(topology, &row);
    Ok(Some(Shown { letter: row.into(), fit }))
}

fn fit(topology: &Topology, row: &Row) -> Option<Fit> {
    row.sequence?;
    let envelope: Envelope = serde_json::from_slice(&row.payload).ok()?;
    let handler = topology.handler(&row.consumer, &envelope.kind)?;
    let unreadable = handler.read(&envelope).err().map(|error| causes(&error));
    let data = serde_json::from_str(envelope.data.get()).ok()?;
    Some(Fit {
        unreadable: unreadable.unwrap_or_default(),
        differences: schema_violations(&handler.contract().schema, &data),
    })
}
