//! `POST /v1/events`

use std::time::Duration;

use axum::{
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
};
use chrono::{DateTime, Utc};
use messaging::{
    Outbox,
    streams::{AppendError, StreamWriter},
};
use problem::{FieldError, Json, Problem, unreadable_body};
use runtime::clock;
use serde::Serialize;
use serde_json::Value;

use super::{
    event_batch::{BodyFormat, ParsedBatch, UnreadableBatch, parse_batch},
    event_sender::{EventSender, Reception},
    foreign_event::ForeignBatch,
    user_event::UserEvent,
};
use crate::{
    app::{
        ingest_events::{self as app, IngestEventsCommand, IngestEventsError},
        resolve_products::resolve_products,
        sender::{Sender, Senders},
    },
    domain::rejection::Rejection,
};

/// `Retry-After` if too many requests wait for the broker.
const RETRY_AFTER_FULL: Duration = Duration::from_secs(1);

/// `Retry-After` if the broker has not confirmed in time.
const RETRY_AFTER_UNCONFIRMED: Duration = Duration::from_secs(5);

/// The outcome of a batch of events.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct IngestEventsResponse {
    /// The number of accepted events.
    accepted: usize,
    rejected: Vec<RejectedEvent>,
}

/// An event that was not accepted.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct RejectedEvent {
    /// Its position in the request, counted from 0.
    index: usize,
    /// `malformed`, `unknown_type`, `invalid_id`, `missing_product`, `too_many_products`, `too_old`,
    /// `in_future` or `properties_too_large`; of mapped events also `unmapped` and `unknown_product`.
    #[schema(value_type = String, example = "malformed")]
    code: &'static str,
    /// A text that names the field.
    reason: String,
}

impl From<(usize, Rejection)> for RejectedEvent {
    fn from((index, rejection): (usize, Rejection)) -> Self {
        Self { index, code: rejection.code.as_str(), reason: rejection.reason }
    }
}

/// Ingest user events
///
/// Accepts 1 to 1,000 events: one object, an array, or one object per line (`application/x-ndjson`). As `text/plain`,
/// as beacons send them, objects may also have several lines. Each event is accepted or rejected on its own. Accepted
/// events are durable when the response arrives, and are stored once even if they are sent again. The rules decide
/// which of them count: `GET /v1/event-rules`.
#[utoipa::path(
    post, path = "/v1/events", tag = "events", request_body = Vec<UserEvent>,
    params(("Visitor-Signature" = Option<String>, Header, description = "For events without `visitor_signature`")),
    responses(
        (status = 202, body = IngestEventsResponse),
        (status = 413, body = Problem, description = "`body_too_large`: more than 1 MiB"),
        (status = 422, body = Problem, description = "`validation_failed`: no events, or more than 1,000"),
        (status = 503, body = Problem, description = "`intake_full`, `intake_unavailable`: send the events again later"),
    )
)]
pub(super) async fn ingest_events(
    State(stream): State<StreamWriter>,
    State(senders): State<Senders>,
    EventSender(sender): EventSender,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<IngestEventsResponse>), Problem> {
    let format = body_format(&headers)?;
    let body = body.map_err(|rejection| unreadable_body(&rejection))?;
    let received_at = clock::now();
    let batch = parse_batch(format, &body, &Reception::new(&senders, &sender, received_at))?;
    drop(body);
    append(&stream, &senders, &sender, batch, received_at).await
}

/// Appends the accepted events of a request, and answers.
pub(super) async fn append(
    stream: &StreamWriter,
    senders: &Senders,
    sender: &Sender,
    batch: ParsedBatch,
    received_at: DateTime<Utc>,
) -> Result<(StatusCode, Json<IngestEventsResponse>), Problem> {
    let ParsedBatch { mut accepted, rejected } = batch;
    senders.place_visitors(sender, &mut accepted, received_at);
    let count = accepted.len();
    let command = IngestEventsCommand { events: accepted, received_at };
    app::ingest_events(stream, command).await?;
    let increment = |outcome: &'static str, count: usize| {
        let count = u64::try_from(count).unwrap_or_default();
        metrics::counter!("behavior_ingested_events_total", "outcome" => outcome).increment(count);
    };
    increment("accepted", count);
    increment("rejected", rejected.len());
    let rejected = rejected.into_iter().map(RejectedEvent::from).collect();
    Ok((StatusCode::ACCEPTED, Json(IngestEventsResponse { accepted: count, rejected })))
}

/// Maps the events of another system in a JSON body, whatever its content type is, and appends them.
pub(super) async fn append_foreign(
    outbox: &Outbox,
    stream: &StreamWriter,
    senders: &Senders,
    sender: &Sender,
    body: Result<Bytes, BytesRejection>,
    map: impl FnOnce(&Value, DateTime<Utc>) -> Result<ForeignBatch, UnreadableBatch>,
) -> Result<(StatusCode, Json<IngestEventsResponse>), Problem> {
    let body = body.map_err(|rejection| unreadable_body(&rejection))?;
    let received_at = clock::now();
    let body: Value = serde_json::from_slice(&body).map_err(UnreadableBatch::Malformed)?;
    let batch = map(&body, received_at)?;
    drop(body);
    let by_sku = resolve_products(outbox, batch.skus()).await?;
    let batch = batch.accept(&by_sku, &Reception::new(senders, sender, received_at))?;
    append(stream, senders, sender, batch, received_at).await
}

fn body_format(headers: &HeaderMap) -> Result<BodyFormat, Problem> {
    let content_type = headers.get(CONTENT_TYPE).map(|value| value.to_str().unwrap_or("?"));
    BodyFormat::from_content_type(content_type).ok_or_else(|| {
        Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "The body must be JSON",
        )
        .detail("Send it as application/json or application/x-ndjson.")
    })
}

impl From<UnreadableBatch> for Problem {
    fn from(error: UnreadableBatch) -> Self {
        match &error {
            UnreadableBatch::Malformed(source) => {
                Self::bad_request("malformed_json", "The body is not JSON")
                    .detail(source.to_string())
            }
            UnreadableBatch::EventCount => {
                Self::validation(vec![FieldError::new("", "out_of_range", error.to_string())])
            }
        }
    }
}

impl From<IngestEventsError> for Problem {
    fn from(error: IngestEventsError) -> Self {
        let IngestEventsError::Append(reason) = &error else {
            return Self::internal_from(&error);
        };
        let (code, retry_after) = match reason {
            AppendError::Full => ("intake_full", RETRY_AFTER_FULL),
            AppendError::Unconfirmed => ("intake_unavailable", RETRY_AFTER_UNCONFIRMED),
        };
        metrics::counter!("behavior_ingestion_refused_total", "code" => code).increment(1);
        Self::unavailable(code, retry_after)
            .detail(format!("{reason}; send the same events again, each counts once."))
    }
}
