//! `GET /v1/trending`

use axum::extract::State;
use problem::{Json, Problem, Query};
use runtime::clock;
use serde::Deserialize;

use super::recommendation_list::{Language, RecommendationList, checked_limit};
use crate::{
    app::recommender::Recommender,
    domain::{recommendation::ReasonCode, trending::TrendingWindow},
};

/// Query parameters of trending products.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct TrendingParameters {
    /// Only this category and its subcategories, as `a/b`; all by default.
    category: Option<String>,
    /// `now` (rising products, the default) or `day` (products that sell).
    #[serde(default)]
    #[param(inline)]
    window: Window,
    /// The most products to return: 1 to 50, 10 by default.
    #[param(minimum = 1, maximum = 50)]
    limit: Option<u16>,
    /// The language of the reasons, `zh` by default.
    #[serde(default)]
    #[param(inline)]
    lang: Language,
}

/// The period over which demand is measured.
#[derive(Debug, Clone, Copy, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum Window {
    /// A half-life of 30 minutes.
    #[default]
    Now,
    /// A half-life of one day.
    Day,
}

impl From<Window> for TrendingWindow {
    fn from(window: Window) -> Self {
        match window {
            Window::Now => Self::Now,
            Window::Day => Self::Day,
        }
    }
}

/// Get the products with the highest demand
///
/// Only products in stock are listed. The score counts views and decays over time. Adding a product to a cart
/// counts as four views, an order as ten.
#[utoipa::path(
    get, path = "/v1/trending", tag = "recommendations", params(TrendingParameters),
    responses((status = 200, body = RecommendationList))
)]
pub(super) async fn get_trending(
    State(recommender): State<Recommender>,
    Query(parameters): Query<TrendingParameters>,
) -> Result<Json<RecommendationList>, Problem> {
    let limit = checked_limit(parameters.limit)?;
    let window = parameters.window.into();
    let category = parameters.category.as_deref().filter(|category| !category.is_empty());
    let code = category.map_or(ReasonCode::Trending, |_| ReasonCode::TrendingInCategory);
    let trends = recommender.query(|model| model.trending(window, category, clock::now(), limit));
    Ok(Json(RecommendationList::from_trends(trends, code, parameters.lang)))
}
