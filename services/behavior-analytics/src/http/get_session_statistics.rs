//! `GET /v1/sessions`

use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use problem::{Json, Problem, Query};
use runtime::{
    auth::{Caller, Scope},
    clock,
};
use serde::Serialize;

use super::period::PeriodParameters;
use crate::app::recommender::Recommender;

/// Statistics of the sessions of a period.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct SessionStatisticsResponse {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    /// Sessions that started in the period.
    sessions: u32,
    /// Those of them with an event in the last 30 minutes.
    active: u32,
    /// Distinct visitors.
    visitors: u32,
    events: u64,
    /// Events per session.
    average_events: f64,
    /// The share of sessions with only one event, 0 to 1.
    bounce_rate: f64,
    /// The average time from the first to the last event, in seconds.
    average_seconds: f64,
}

/// Get statistics of the sessions
///
/// A session ends after 30 minutes without an event. The default period is the last day.
#[utoipa::path(
    get, path = "/v1/sessions", tag = "analytics", params(PeriodParameters),
    responses((status = 200, body = SessionStatisticsResponse)),
    security(("bearer" = ["analytics:read"]))
)]
pub(super) async fn get_session_statistics(
    caller: Caller,
    State(recommender): State<Recommender>,
    Query(period): Query<PeriodParameters>,
) -> Result<Json<SessionStatisticsResponse>, Problem> {
    caller.require(Scope::AnalyticsRead)?;
    let now = clock::now();
    let (from, to) = period.bounds(TimeDelta::days(1), now)?;
    let statistics =
        recommender.query_blocking(move |model| model.session_statistics(from, to, now)).await?;
    Ok(Json(SessionStatisticsResponse {
        from,
        to,
        sessions: statistics.sessions,
        active: statistics.active,
        visitors: statistics.visitors,
        events: statistics.events,
        average_events: statistics.average_events,
        bounce_rate: statistics.bounce_rate,
        average_seconds: statistics.average_seconds,
    }))
}
