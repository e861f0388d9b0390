//! `GET /v1/funnel`

use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use problem::{Json, Problem, Query};
use runtime::{
    auth::{Caller, Scope},
    clock,
};
use serde::Serialize;

use super::span::Span;
use crate::{domain::funnel::StepCount, learning::Knowledge};

/// How many visits went how far.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct FunnelAnswer {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    /// All visits that started in the span.
    sessions: u32,
    /// The steps, in order: `view`, `cart`, `checkout`, `order`.
    steps: Vec<StepAnswer>,
}

/// The visits that reached a step after those before it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct StepAnswer {
    #[schema(value_type = String, example = "cart")]
    step: &'static str,
    sessions: u32,
    /// Their share of those that reached the step before, 0 to 1.
    of_previous: f64,
    /// Their share of all visits, 0 to 1.
    of_all: f64,
}

impl From<StepCount> for StepAnswer {
    fn from(count: StepCount) -> Self {
        Self {
            step: count.step.as_str(),
            sessions: count.sessions,
            of_previous: count.of_previous,
            of_all: count.of_all,
        }
    }
}

/// How many visits that started in the span (the last day unless said) went how far towards an order.
#[utoipa::path(
    get, path = "/v1/funnel", tag = "analytics", params(Span), responses((status = 200, body = FunnelAnswer)),
    security(("bearer" = ["analytics:read"]))
)]
pub(super) async fn get_funnel(
    caller: Caller,
    State(knowledge): State<Knowledge>,
    Query(span): Query<Span>,
) -> Result<Json<FunnelAnswer>, Problem> {
    caller.require(Scope::AnalyticsRead)?;
    let (from, to) = span.bounds(TimeDelta::days(1), clock::now())?;
    let funnel = knowledge.ask_at_length(move |model| model.funnel(from, to)).await?;
    let steps = funnel.steps.into_iter().map(StepAnswer::from).collect();
    Ok(Json(FunnelAnswer { from, to, sessions: funnel.sessions, steps }))
}
