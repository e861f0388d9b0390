//! `POST /v1/events/segment`

use axum::{
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::StatusCode,
};
use messaging::{Outbox, streams::StreamWriter};
use problem::{Json, Problem};

use super::{
    event_sender::EventSender,
    ingest_events::{IngestEventsResponse, append_foreign},
    segment_event::map_body,
};
use crate::app::sender::Senders;

/// Ingest events of Segment
///
/// Accepts a `track` or `page` call, an array of them, or a `batch`, up to 1,000 events. They are mapped to events of
/// this service; those without a counterpart are rejected as `unmapped`. Products are named by their ids or SKUs.
#[utoipa::path(
    post, path = "/v1/events/segment", tag = "events", request_body = Value,
    params(("Visitor-Signature" = Option<String>, Header, description = "For calls without `context.visitor_signature`")),
    responses(
        (status = 202, body = IngestEventsResponse),
        (status = 413, body = Problem, description = "`body_too_large`: more than 1 MiB"),
        (status = 422, body = Problem, description = "`validation_failed`: no events, or more than 1,000"),
        (status = 503, body = Problem, description = "`intake_full`, `intake_unavailable`: send the events again later"),
    )
)]
pub(super) async fn ingest_segment_events(
    State(outbox): State<Outbox>,
    State(stream): State<StreamWriter>,
    State(senders): State<Senders>,
    EventSender(sender): EventSender,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<IngestEventsResponse>), Problem> {
    append_foreign(&outbox, &stream, &senders, &sender, body, map_body).await
}
