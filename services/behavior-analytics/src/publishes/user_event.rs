//! A user event as it goes into the stream.

use chrono::{DateTime, Utc};
use contracts::behavior::UserEventV1;
use serde_json::value::to_raw_value;

use crate::domain::event::Event;

/// The event for the stream, taken in at `received_at`.
pub fn user_event(
    event: &Event,
    received_at: DateTime<Utc>,
) -> Result<UserEventV1, serde_json::Error> {
    let properties =
        if event.properties.is_empty() { None } else { Some(to_raw_value(&event.properties)?) };
    Ok(UserEventV1 {
        event_id: event.event_id,
        kind: event.kind.as_str().to_owned(),
        visitor_id: event.visitor_id.as_str().to_owned(),
        session_id: event.session_id.as_str().to_owned(),
        product_id: event.product_id.map(Into::into),
        occurred_at: event.occurred_at,
        received_at,
        properties,
    })
}
