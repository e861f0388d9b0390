//! `POST /v1/events`

use std::time::Duration;

use axum::{
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
};
use chrono::{DateTime, Utc};
use contracts::behavior::UserEventV1;
use messaging::stream::{Intake, NotAppended};
use problem::{FieldError, Json, Problem};
use runtime::clock;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    domain::event::Event,
    intake::{self, Form, Unreadable, Verdicts},
    publishes::user_event::user_event,
};

/// When a client may try again that came while too many waited.
const RETRY_FULL: Duration = Duration::from_secs(1);

/// When a client may try again that came while the broker was away.
const RETRY_UNCONFIRMED: Duration = Duration::from_secs(5);

/// One thing that a visitor did.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[expect(dead_code, reason = "it documents what the domain reads from the raw JSON")]
pub(super) struct UserEvent {
    /// Chosen by the client: the same event sent twice counts once.
    event_id: Uuid,
    /// `product_viewed`, `list_viewed`, `product_clicked`, `searched`, `cart_added`, `cart_removed`, `checkout_started` or
    /// `order_completed`.
    #[serde(rename = "type")]
    #[schema(example = "product_viewed")]
    kind: String,
    /// Who, as far as the shop knows them: 1 to 64 visible characters.
    visitor_id: String,
    /// During which visit: 1 to 64 visible characters.
    session_id: String,
    /// With which product.
    product_id: Option<Uuid>,
    /// When, by the client's clock: within the last 30 days, and at most 10 minutes from now.
    occurred_at: DateTime<Utc>,
    /// Whatever else the client knows: an object of up to 8 KiB. An order lists its products in `product_ids`, and may name
    /// itself in `order_id`.
    properties: Option<serde_json::Map<String, serde_json::Value>>,
}

/// What became of the events.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct EventsAnswer {
    /// How many are taken.
    accepted: usize,
    /// Those that are not.
    rejected: Vec<Rejected>,
}

/// An event that is not taken.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Rejected {
    /// Its place in the request, counted from 0.
    index: usize,
    /// Why: `malformed`, `unknown_type`, `invalid_id`, `missing_product`, `too_many_products`, `too_old`, `in_future` or
    /// `properties_too_large`.
    #[schema(value_type = String, example = "malformed")]
    code: &'static str,
    /// The same for people; names the field.
    reason: String,
}

/// Takes up to 1,000 events: one, an array, or one on each line (`application/x-ndjson`).
///
/// Each has a verdict of its own. Those that are accepted are durable when the answer comes, and count once however often
/// they are sent.
#[utoipa::path(
    post, path = "/v1/events", tag = "events", request_body = Vec<UserEvent>,
    responses(
        (status = 202, body = EventsAnswer),
        (status = 413, body = Problem, description = "`body_too_large`: more than 1 MiB"),
        (status = 422, body = Problem, description = "`validation_failed`: no events, or more than 1,000"),
        (status = 503, body = Problem, description = "`intake_full`, `intake_unavailable`: send them again later"),
    )
)]
pub(super) async fn post_events(
    State(intake): State<Intake>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<EventsAnswer>), Problem> {
    let form = form_of(&headers)?;
    let body = body.map_err(|rejection| unreadable(&rejection))?;
    let now = clock::now();
    let Verdicts { accepted, rejected } =
        intake::judge(form, &body, now).map_err(|error| refused(&error))?;
    drop(body);
    let count = accepted.len();
    if count > 0 {
        let message = message_of(&accepted, now).map_err(|error| Problem::internal_from(&error))?;
        intake.append(message).await.map_err(not_appended)?;
    }
    let tell = |outcome: &'static str, count: usize| {
        let count = u64::try_from(count).unwrap_or_default();
        metrics::counter!("behavior_intake_total", "outcome" => outcome).increment(count);
    };
    tell("accepted", count);
    tell("rejected", rejected.len());
    let rejected = rejected.into_iter().map(|(index, rejection)| Rejected {
        index,
        code: rejection.code.as_str(),
        reason: rejection.reason,
    });
    let answer = EventsAnswer { accepted: count, rejected: rejected.collect() };
    Ok((StatusCode::ACCEPTED, Json(answer)))
}

/// The events as one message of the stream.
fn message_of(events: &[Event], now: DateTime<Utc>) -> Result<Vec<u8>, serde_json::Error> {
    let events: Vec<UserEventV1> =
        events.iter().map(|event| user_event(event, now)).collect::<Result<_, _>>()?;
    serde_json::to_vec(&events)
}

fn form_of(headers: &HeaderMap) -> Result<Form, Problem> {
    let content_type = headers.get(CONTENT_TYPE).map(|value| value.to_str().unwrap_or("?"));
    Form::of(content_type).ok_or_else(|| {
        Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "The body must be JSON",
        )
        .detail("Send it as application/json or application/x-ndjson.")
    })
}

fn unreadable(rejection: &BytesRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "The body is too large")
    } else {
        Problem::bad_request("unreadable_body", "The body could not be read")
    }
}

fn refused(error: &Unreadable) -> Problem {
    match error {
        Unreadable::Malformed(source) => {
            Problem::bad_request("malformed_json", "The body is not JSON")
                .detail(source.to_string())
        }
        Unreadable::Number => {
            Problem::validation(vec![FieldError::new("", "out_of_range", error.to_string())])
        }
    }
}

fn not_appended(error: NotAppended) -> Problem {
    let (code, after) = match error {
        NotAppended::Full => ("intake_full", RETRY_FULL),
        NotAppended::Unconfirmed => ("intake_unavailable", RETRY_UNCONFIRMED),
    };
    metrics::counter!("behavior_intake_refused_total", "code" => code).increment(1);
    Problem::unavailable(code, after)
        .detail(format!("{error}; send the same events again, each counts once."))
}
