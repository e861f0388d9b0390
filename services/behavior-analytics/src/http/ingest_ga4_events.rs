//! `POST /v1/events/ga4`

use axum::{
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::StatusCode,
};
use messaging::{Outbox, streams::StreamWriter};
use problem::{Json, Problem};

use super::{
    event_sender::EventSender,
    ga4_event::map_body,
    ingest_events::{IngestEventsResponse, append_foreign},
};
use crate::app::sender::Senders;

/// Ingest events of Google Analytics 4
///
/// Accepts a body of the Measurement Protocol with e-commerce events. They are mapped to events of this service; those
/// without a counterpart are rejected as `unmapped`. Items are named by the ids or SKUs of products. `measurement_id` and
/// `api_secret` are not checked.
#[utoipa::path(
    post, path = "/v1/events/ga4", tag = "events", request_body = Value,
    params(("Visitor-Signature" = Option<String>, Header, description = "For a body without `visitor_signature`")),
    responses(
        (status = 202, body = IngestEventsResponse),
        (status = 413, body = Problem, description = "`body_too_large`: more than 1 MiB"),
        (status = 422, body = Problem, description = "`validation_failed`: no events, or more than 1,000"),
        (status = 503, body = Problem, description = "`intake_full`, `intake_unavailable`: send the events again later"),
    )
)]
pub(super) async fn ingest_ga4_events(
    State(outbox): State<Outbox>,
    State(stream): State<StreamWriter>,
    State(senders): State<Senders>,
    EventSender(sender): EventSender,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<IngestEventsResponse>), Problem> {
    append_foreign(&outbox, &stream, &senders, &sender, body, map_body).await
}
