//! `user_event.v1`: a user event in the stream.

use chrono::{DateTime, Utc};
use contracts::behavior::UserEventV1;
use serde_json::value::RawValue;

use crate::domain::{circumstances::Circumstances, event::Event};

/// The message for an event that was received at `received_at`, with the client's `properties` as they are.
pub(crate) fn user_event(
    event: &Event,
    properties: Option<Box<RawValue>>,
    circumstances: &Circumstances,
    received_at: DateTime<Utc>,
) -> UserEventV1 {
    UserEventV1 {
        event_id: event.id,
        kind: event.kind.as_str().to_owned(),
        visitor_id: event.visitor_id.as_str().to_owned(),
        session_id: event.session_id.as_str().to_owned(),
        product_id: event.product_id.map(Into::into),
        occurred_at: event.occurred_at,
        received_at,
        properties,
        signed: circumstances.signed,
        consent: circumstances.consent,
        user_agent: circumstances.user_agent.as_deref().map(str::to_owned),
        visitor_place: circumstances.visitor_place,
        clock_offset_ms: circumstances.clock_offset.map(|offset| offset.num_milliseconds()),
    }
}
