//! `GET /v1/trending`

use axum::extract::State;
use problem::{Json, Problem, Query};
use runtime::clock;
use serde::Deserialize;

use super::list::{Language, List, checked_limit};
use crate::{
    domain::{model::Window, recommendation::ReasonCode},
    learning::Knowledge,
};

/// Which trends are asked for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct Trends {
    /// Of this category and those below it, as `a/b`; of all unless said.
    category: Option<String>,
    /// `now` (what is rising, the default) or `day` (what sells).
    #[serde(default)]
    #[param(inline)]
    window: WindowName,
    /// How many products at most: 1 to 50, 10 unless said.
    limit: Option<u16>,
    /// The language of the reasons: `zh` unless said.
    #[serde(default)]
    #[param(inline)]
    lang: Language,
}

/// Over how long demand is looked at.
#[derive(Debug, Clone, Copy, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum WindowName {
    /// A half-life of half an hour.
    #[default]
    Now,
    /// A half-life of a day.
    Day,
}

/// The products most in demand that can be bought. The score is a count of views that fades: a cart counts for four, an
/// order for ten.
#[utoipa::path(
    get, path = "/v1/trending", tag = "recommendations", params(Trends), responses((status = 200, body = List))
)]
pub(super) async fn get_trending(
    State(knowledge): State<Knowledge>,
    Query(asked): Query<Trends>,
) -> Result<Json<List>, Problem> {
    let limit = checked_limit(asked.limit)?;
    let window = match asked.window {
        WindowName::Now => Window::Now,
        WindowName::Day => Window::Day,
    };
    let category = asked.category.as_deref().filter(|category| !category.is_empty());
    let code = category.map_or(ReasonCode::Trending, |_| ReasonCode::TrendingInCategory);
    let trends = knowledge.ask(|model| model.trending(window, category, clock::now(), limit));
    Ok(Json(List::of_trends(trends, code, asked.lang)))
}
