//! `GET /v1/sessions`

use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use problem::{Json, Problem, Query};
use runtime::{
    auth::{Caller, Scope},
    clock,
};
use serde::Serialize;

use super::span::Span;
use crate::learning::Knowledge;

/// Numbers over visits.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct SessionsAnswer {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    /// Visits that started in the span.
    sessions: u32,
    /// Those of them that had an event within the last half hour.
    active: u32,
    /// Visitors who made them.
    visitors: u32,
    /// Events in them.
    events: u64,
    /// Events per visit.
    average_events: f64,
    /// The share of visits with one event only, 0 to 1.
    bounce_rate: f64,
    /// From the first to the last event, on average.
    average_seconds: f64,
}

/// Numbers over the visits that started in the span, the last day unless said. A visit ends when half an hour passes without an
/// event.
#[utoipa::path(
    get, path = "/v1/sessions", tag = "analytics", params(Span), responses((status = 200, body = SessionsAnswer)),
    security(("bearer" = ["analytics:read"]))
)]
pub(super) async fn get_sessions(
    caller: Caller,
    State(knowledge): State<Knowledge>,
    Query(span): Query<Span>,
) -> Result<Json<SessionsAnswer>, Problem> {
    caller.require(Scope::AnalyticsRead)?;
    let now = clock::now();
    let (from, to) = span.bounds(TimeDelta::days(1), now)?;
    let numbers =
        knowledge.ask_at_length(move |model| model.session_statistics(from, to, now)).await?;
    Ok(Json(SessionsAnswer {
        from,
        to,
        sessions: numbers.sessions,
        active: numbers.active,
        visitors: numbers.visitors,
        events: numbers.events,
        average_events: numbers.average_events,
        bounce_rate: numbers.bounce_rate,
        average_seconds: numbers.average_seconds,
    }))
}
