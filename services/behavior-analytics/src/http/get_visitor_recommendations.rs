//! `GET /v1/recommendations/for/{visitor_id}`

use axum::extract::State;
use problem::{Json, Path, Problem, Query};
use runtime::{
    auth::{Caller, Scope},
    clock,
};

use super::{
    parameters::visitor_in_path,
    recommendation_list::{ListParameters, RecommendationList},
};
use crate::{
    app::recommender::Recommender,
    domain::{fallback::fill_with, trending::TrendingWindow},
};

/// Get recommendations for a visitor
///
/// The list tells what the visitor viewed, so it needs the token of the visitor: one whose subject is the id, as the console
/// issues it to each browser. Or the scope `analytics:read`.
///
/// The list is based on the visitor's views and purchases and filled up with products in demand. Products
/// that the visitor knows come last, and only if there are not enough others. An unknown visitor gets
/// products in demand.
#[utoipa::path(
    get, path = "/v1/recommendations/for/{visitor_id}", tag = "recommendations",
    params(("visitor_id" = String, Path, description = "As in the visitor's events"), ListParameters),
    responses(
        (status = 200, body = RecommendationList),
        (status = 403, body = Problem, description = "`not_yours`: the token is of another visitor"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn get_visitor_recommendations(
    caller: Caller,
    State(recommender): State<Recommender>,
    Path(visitor): Path<String>,
    Query(parameters): Query<ListParameters>,
) -> Result<Json<RecommendationList>, Problem> {
    let visitor = visitor_in_path("visitor_id", &visitor)?;
    caller.require_subject(visitor.as_str(), Scope::AnalyticsRead)?;
    let (limit, now) = (parameters.limit()?, clock::now());
    let list = recommender.query(|model| {
        let list = model.for_visitor(&visitor, now, limit);
        if list.len() >= limit {
            return list;
        }
        let trends = model.trending(TrendingWindow::Day, None, now, limit);
        fill_with(list, &trends, limit)
    });
    Ok(Json(RecommendationList::new(list, parameters.lang)))
}
