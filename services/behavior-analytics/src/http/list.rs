//! Lists of products, each with a score and a reason: what every recommendation is answered with.

use problem::Problem;
use serde::{Deserialize, Serialize};
use vocabulary::ProductId;

use super::invalid_query;
use crate::domain::{
    recommendation::{ReasonCode, Recommendation},
    trending::Trend,
};

/// How many products a list has unless the request says otherwise.
const DEFAULT_LIMIT: u16 = 10;

/// The most products of a list.
pub(super) const MAX_LIMIT: u16 = 50;

/// How a list is wanted.
#[derive(Debug, Clone, Copy, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct Listing {
    /// How many products at most: 1 to 50, 10 unless said.
    limit: Option<u16>,
    /// The language of the reasons: `zh` unless said.
    #[serde(default)]
    #[param(inline)]
    pub(super) lang: Language,
}

impl Listing {
    /// How many products the list may have.
    pub(super) fn limit(self) -> Result<usize, Problem> {
        checked_limit(self.limit)
    }
}

/// How many products a list may have that asks for `limit`.
pub(super) fn checked_limit(limit: Option<u16>) -> Result<usize, Problem> {
    match limit.unwrap_or(DEFAULT_LIMIT) {
        limit @ 1..=MAX_LIMIT => Ok(limit.into()),
        _ => Err(invalid_query("limit", format!("must be 1 to {MAX_LIMIT}"))),
    }
}

/// A language of the shop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Language {
    /// Chinese.
    #[default]
    Zh,
    /// English.
    En,
}

/// Products, the best first.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct List {
    /// The products.
    items: Vec<Item>,
}

/// A product that is recommended.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Item {
    product_id: ProductId,
    /// How strongly; falls along the list, comparable within it only.
    score: f64,
    /// Why.
    reason: Reason,
}

/// Why a product is recommended.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Reason {
    /// `viewed_together`, `from_your_visit`, `bought_together`, `trending_in_category` or `trending`.
    #[schema(value_type = String, example = "viewed_together")]
    code: &'static str,
    /// The same for people.
    #[schema(value_type = String, example = "看了又看")]
    text: &'static str,
    /// The products that led to it, strongest first; absent where only demand speaks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    because: Vec<ProductId>,
}

impl List {
    /// The list of recommendations.
    pub(super) fn of(recommendations: Vec<Recommendation>, language: Language) -> Self {
        let item = |one: Recommendation| Item {
            product_id: one.product.into(),
            score: one.score,
            reason: Reason {
                code: one.reason.code.as_str(),
                text: text(one.reason.code, language),
                because: one.reason.because.into_iter().map(ProductId::from).collect(),
            },
        };
        Self { items: recommendations.into_iter().map(item).collect() }
    }

    /// The list of what is in demand, all for the same reason.
    pub(super) fn of_trends(trends: Vec<Trend>, code: ReasonCode, language: Language) -> Self {
        let item = |trend: Trend| Item {
            product_id: trend.product.into(),
            score: trend.count,
            reason: Reason { code: code.as_str(), text: text(code, language), because: Vec::new() },
        };
        Self { items: trends.into_iter().map(item).collect() }
    }
}

/// The sentence for a reason.
const fn text(code: ReasonCode, language: Language) -> &'static str {
    match (language, code) {
        (Language::Zh, _) => code.text(),
        (Language::En, ReasonCode::ViewedTogether) => "Viewed together",
        (Language::En, ReasonCode::FromYourVisit) => "Based on what you looked at",
        (Language::En, ReasonCode::BoughtTogether) => "Bought together",
        (Language::En, ReasonCode::TrendingInCategory) => "Popular in this category",
        (Language::En, ReasonCode::Trending) => "Popular now",
    }
}
