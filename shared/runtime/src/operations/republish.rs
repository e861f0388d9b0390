//! `POST /v1/republish`

use std::time::Duration;

use ::messaging::republish::{
    Progress, Republication, RepublishError, RepublishReport, Republisher,
};
use axum::extract::State;
use chrono::{DateTime, Utc};
use problem::{FieldError, Json, Problem};
use serde::{Deserialize, Serialize};

use crate::auth::{Caller, Scope};

/// How long one call works before it answers with `next`.
const CALL_DURATION: Duration = Duration::from_secs(10);

/// `Retry-After` if the broker does not store the messages.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// What to publish again, and to whom.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RepublishRequest {
    /// The service whose queues receive the events.
    subscriber: String,
    /// The time of the first event. Choose it before the loss: events that were applied already are recognised.
    #[serde(deserialize_with = "problem::timestamp::required")]
    since: DateTime<Utc>,
    /// The `next` of the previous call.
    after: Option<String>,
}

/// The counts of the call, the oldest message that is still kept, and `next` unless all messages were published.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(transparent)]
#[schema(value_type = Object)]
pub(super) struct Report(RepublishReport);

/// Publish events again
///
/// For a subscriber that has lost data: a queue that was deleted, a database that was restored from a backup. The events
/// go to the queues of this subscriber alone, and each takes effect once. The call works for up to ten seconds and
/// answers with `next`, which the next call sends as `after`. An interrupted call can be repeated.
#[utoipa::path(
    post, path = "/v1/republish", tag = "operations", request_body = RepublishRequest,
    responses((status = 200, body = Report)), security(("bearer" = ["ops"]))
)]
pub(super) async fn republish(
    caller: Caller,
    State(republisher): State<Republisher>,
    Json(request): Json<RepublishRequest>,
) -> Result<Json<Report>, Problem> {
    caller.require(Scope::Ops)?;
    let republication = request.into_republication()?;
    let report = republisher.republish(&republication).await.map_err(not_republished)?;
    tracing::info!(
        by = caller.subject(),
        subscriber = republication.subscriber,
        events = report.events,
        "events were published again"
    );
    Ok(Json(Report(report)))
}

impl RepublishRequest {
    fn into_republication(self) -> Result<Republication, Problem> {
        let Self { subscriber, since, after } = self;
        let after = after.map(|after| after.parse::<Progress>()).transpose().map_err(|error| {
            Problem::validation(vec![FieldError::new("after", "invalid", error.to_string())])
        })?;
        Ok(Republication { subscriber, since, after, within: CALL_DURATION })
    }
}

/// The answer if events could not be published again.
fn not_republished(error: RepublishError) -> Problem {
    let detail = format!("{error}.");
    match error {
        RepublishError::NotSubscribed { .. } => Problem::validation(vec![FieldError::new(
            "subscriber",
            "not_subscribed",
            error.to_string(),
        )]),
        RepublishError::NotStored(_) => {
            Problem::unavailable("broker_unavailable", RETRY_AFTER).detail(detail)
        }
        RepublishError::Messaging(error) if is_of_the_broker(&error) => {
            Problem::unavailable("broker_unavailable", RETRY_AFTER).detail(problem::chain(&error))
        }
        RepublishError::Messaging(error) => error.into(),
    }
}

const fn is_of_the_broker(error: &::messaging::Error) -> bool {
    use ::messaging::Error;
    matches!(
        error,
        Error::Broker(_) | Error::Blocked | Error::ConnectionClosed | Error::Unconfirmed
    )
}
