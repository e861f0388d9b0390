//! The list of products with which every recommendation endpoint answers.

use problem::Problem;
use serde::{Deserialize, Serialize};
use vocabulary::ProductId;

use super::parameters::invalid_query;
use crate::domain::{
    recommendation::{ReasonCode, Recommendation},
    trending::Trend,
};

/// The length of a list if the request names none.
pub(super) const DEFAULT_LIMIT: u16 = 10;

/// The greatest length of a list.
pub(super) const MAX_LIMIT: u16 = 50;

/// Query parameters of a list.
#[derive(Debug, Clone, Copy, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct ListParameters {
    /// The most products to return: 1 to 50, 10 by default.
    #[param(minimum = 1, maximum = 50)]
    limit: Option<u16>,
    /// The language of the reasons, `zh` by default.
    #[serde(default)]
    #[param(inline)]
    pub(super) lang: Language,
}

impl ListParameters {
    pub(super) fn limit(self) -> Result<usize, Problem> {
        checked_limit(self.limit)
    }
}

/// The limit or its default, unless it is out of range.
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
    #[default]
    Zh,
    En,
}

/// Products, best first.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct RecommendationList {
    items: Vec<RecommendedProduct>,
}

/// A product with its score and reason.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct RecommendedProduct {
    product_id: ProductId,
    /// Decreases along the list; comparable within it only.
    score: f64,
    reason: RecommendationReason,
}

/// Why a product is recommended.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct RecommendationReason {
    /// `viewed_together`, `from_your_visit`, `bought_together`, `trending_in_category` or `trending`.
    #[schema(value_type = String, example = "viewed_together")]
    code: &'static str,
    /// The reason as a text for shoppers.
    #[schema(value_type = String, example = "看了又看")]
    text: &'static str,
    /// The products that caused the recommendation, strongest first; absent if the reason is demand alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    because: Vec<ProductId>,
}

impl RecommendationList {
    /// The response for recommendations.
    pub(super) fn new(recommendations: Vec<Recommendation>, language: Language) -> Self {
        let item = |one: Recommendation| RecommendedProduct {
            product_id: one.product.into(),
            score: one.score,
            reason: RecommendationReason {
                code: one.reason.code.as_str(),
                text: reason_text(one.reason.code, language),
                because: one.reason.because.into_iter().map(ProductId::from).collect(),
            },
        };
        Self { items: recommendations.into_iter().map(item).collect() }
    }

    /// The response for products in demand, all with the same reason.
    pub(super) fn from_trends(trends: Vec<Trend>, code: ReasonCode, language: Language) -> Self {
        let item = |trend: Trend| RecommendedProduct {
            product_id: trend.product.into(),
            score: trend.count,
            reason: RecommendationReason {
                code: code.as_str(),
                text: reason_text(code, language),
                because: Vec::new(),
            },
        };
        Self { items: trends.into_iter().map(item).collect() }
    }
}

const fn reason_text(code: ReasonCode, language: Language) -> &'static str {
    match (language, code) {
        (Language::Zh, ReasonCode::ViewedTogether) => "看了又看",
        (Language::Zh, ReasonCode::FromYourVisit) => "根据你的浏览推荐",
        (Language::Zh, ReasonCode::BoughtTogether) => "一起购买",
        (Language::Zh, ReasonCode::TrendingInCategory) => "同类热卖",
        (Language::Zh, ReasonCode::Trending) => "正在热卖",
        (Language::En, ReasonCode::ViewedTogether) => "Viewed together",
        (Language::En, ReasonCode::FromYourVisit) => "Based on what you looked at",
        (Language::En, ReasonCode::BoughtTogether) => "Bought together",
        (Language::En, ReasonCode::TrendingInCategory) => "Popular in this category",
        (Language::En, ReasonCode::Trending) => "Popular now",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Language, reason_text};
    use crate::domain::recommendation::ReasonCode::{
        BoughtTogether, FromYourVisit, Trending, TrendingInCategory, ViewedTogether,
    };

    #[test]
    fn every_reason_has_its_own_code_and_texts() {
        let codes = [ViewedTogether, FromYourVisit, BoughtTogether, TrendingInCategory, Trending];
        let texts = codes.iter().flat_map(|&code| {
            [code.as_str(), reason_text(code, Language::Zh), reason_text(code, Language::En)]
        });
        assert_eq!(texts.collect::<BTreeSet<_>>().len(), 3 * codes.len());
    }
}
