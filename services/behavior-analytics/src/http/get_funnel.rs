//! `GET /v1/funnel`

use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use problem::{Json, Problem, Query};
use runtime::{
    auth::{Caller, Scope},
    clock,
};
use serde::Serialize;

use super::period::PeriodParameters;
use crate::{app::recommender::Recommender, domain::funnel::StepCount};

/// The purchase funnel of a period.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct FunnelResponse {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    /// All sessions that started in the period.
    sessions: u32,
    /// The steps, in order: `view`, `cart`, `checkout`, `order`.
    steps: Vec<FunnelStep>,
}

/// The sessions that reached a step after all previous steps.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct FunnelStep {
    #[schema(value_type = String, example = "cart")]
    step: &'static str,
    sessions: u32,
    /// Their share of the sessions that reached the previous step, 0 to 1.
    of_previous: f64,
    /// Their share of all sessions, 0 to 1.
    of_all: f64,
}

impl From<StepCount> for FunnelStep {
    fn from(count: StepCount) -> Self {
        Self {
            step: count.step.as_str(),
            sessions: count.sessions,
            of_previous: count.of_previous,
            of_all: count.of_all,
        }
    }
}

/// Get the purchase funnel
///
/// Counts the sessions that reached each step towards an order. The default period is the last day.
#[utoipa::path(
    get, path = "/v1/funnel", tag = "analytics", params(PeriodParameters),
    responses((status = 200, body = FunnelResponse)),
    security(("bearer" = ["analytics:read"]))
)]
pub(super) async fn get_funnel(
    caller: Caller,
    State(recommender): State<Recommender>,
    Query(period): Query<PeriodParameters>,
) -> Result<Json<FunnelResponse>, Problem> {
    caller.require(Scope::AnalyticsRead)?;
    let (from, to) = period.bounds(TimeDelta::days(1), clock::now())?;
    let funnel = recommender.query_blocking(move |model| model.funnel(from, to)).await?;
    let steps = funnel.steps.into_iter().map(FunnelStep::from).collect();
    Ok(Json(FunnelResponse { from, to, sessions: funnel.sessions, steps }))
}
