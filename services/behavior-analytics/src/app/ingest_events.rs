//! Ingest events: append accepted user events to the stream.

use chrono::{DateTime, Utc};
use contracts::behavior::UserEventV1;
use messaging::streams::{AppendError, StreamWriter};
use serde_json::value::RawValue;

use crate::{
    domain::{
        circumstances::Circumstances,
        event::Event,
        identity::{SessionId, VisitorId},
    },
    publishes::user_event::user_event,
};

#[derive(Debug)]
pub(crate) struct IngestEventsCommand {
    pub(crate) events: Vec<AcceptedEvent>,
    pub(crate) received_at: DateTime<Utc>,
}

/// An event that passed all checks.
#[derive(Debug)]
pub(crate) struct AcceptedEvent {
    pub(crate) event: Event,
    /// The client's `properties`, stored unchanged.
    pub(crate) properties: Option<Box<RawValue>>,
    pub(crate) circumstances: Circumstances,
}

impl AcceptedEvent {
    /// The event without what identifies or describes its visitor.
    pub(crate) fn without_identity(mut self) -> Self {
        self.event.visitor_id = VisitorId::without_consent();
        self.event.session_id = SessionId::without_consent();
        self.properties = None;
        self.circumstances.signed = false;
        self.circumstances.user_agent = None;
        self
    }
}

/// Why events were not appended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IngestEventsError {
    #[error("the events could not be encoded")]
    Encoding(#[from] serde_json::Error),
    #[error(transparent)]
    Append(#[from] AppendError),
}

/// Appends the events as one message, and returns when the broker has confirmed it. Without events it does
/// nothing.
pub(crate) async fn ingest_events(
    stream: &StreamWriter,
    command: IngestEventsCommand,
) -> Result<(), IngestEventsError> {
    if command.events.is_empty() {
        return Ok(());
    }
    let events = command.events.into_iter();
    let message: Vec<UserEventV1> = events
        .map(|accepted| {
            let AcceptedEvent { event, properties, circumstances } = accepted;
            user_event(&event, properties, &circumstances, command.received_at)
        })
        .collect();
    stream.append(serde_json::to_vec(&message)?).await?;
    Ok(())
}
