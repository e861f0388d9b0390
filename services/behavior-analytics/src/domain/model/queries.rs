//! The queries that the model answers.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Model;
use crate::domain::{
    fallback::{CatalogView, fill_with_trending},
    funnel::Funnel,
    identity::{SessionKey, VisitorId},
    personalization::{self, Sources},
    product::ProductInfo,
    profiles::Profile,
    recommendation::{ReasonCode, Recommendation, Suggestion},
    session_index::SessionQuery,
    sessions::SessionStatistics,
    trending::{Trend, TrendingWindow},
};

/// Lists are cut to this length.
pub(super) const MAX_LIST: usize = 100;

impl Model {
    /// The available products with the highest demand, of one category and its subcategories if one is given.
    pub(crate) fn trending(
        &self,
        window: TrendingWindow,
        category: Option<&str>,
        now: DateTime<Utc>,
        limit: usize,
    ) -> Vec<Trend> {
        let trending = match window {
            TrendingWindow::Now => &self.now,
            TrendingWindow::Day => &self.day,
        };
        let in_category = |product: &ProductInfo| {
            category.is_none_or(|category| is_within(&product.category, category))
        };
        let filter = |product: Uuid| {
            self.is_available(product) && self.products.get(&product).is_some_and(in_category)
        };
        trending.top(now, limit.min(MAX_LIST), filter)
    }

    /// The demand for every product of the catalogue, available or not, in the window of one day.
    pub(crate) fn demand(&self, now: DateTime<Utc>) -> Vec<Trend> {
        self.day.top(now, usize::MAX, |product| self.products.contains_key(&product))
    }

    /// Products similar to this one: products of the same sessions, then products in demand in its category.
    pub(crate) fn similar(
        &self,
        product: Uuid,
        now: DateTime<Utc>,
        limit: usize,
    ) -> Vec<Recommendation> {
        let limit = limit.min(MAX_LIST);
        let filter = |other: Uuid| other != product && self.is_available(other);
        let similar = self.index.similar(product, now, limit, filter);
        let list = with_reason(similar, ReasonCode::ViewedTogether);
        let categories: Vec<Arc<str>> = self.category(product).into_iter().collect();
        if categories.is_empty() {
            return list;
        }
        self.with_catalog(|catalog| {
            let same_category =
                |other: Uuid| filter(other) && self.category(other) == self.category(product);
            fill_with_trending(list, &self.day, catalog, &categories, &same_category, now, limit)
        })
    }

    /// Products that are bought together with these. The list is not filled up: products in demand are no
    /// companions.
    pub(crate) fn companions(&self, products: &[Uuid], limit: usize) -> Vec<Recommendation> {
        let filter = |product: Uuid| self.is_available(product);
        let companions = self.companions.companions(products, limit.min(MAX_LIST), filter);
        with_reason(companions, ReasonCode::BoughtTogether)
    }

    /// Products for a session, filled up with products in demand: first from the categories of its products,
    /// then from all.
    pub(crate) fn for_session(&self, query: SessionQuery<'_>, limit: usize) -> Vec<Recommendation> {
        let (products, now, limit) = (query.products, query.now, limit.min(MAX_LIST));
        let is_new = |product: Uuid| !products.contains(&product) && self.is_available(product);
        let found =
            self.index.recommend_session(query, limit, |product| self.is_available(product));
        let list = with_reason(found, ReasonCode::ViewedTogether);
        let categories: Vec<Arc<str>> =
            products.iter().rev().take(MAX_LIST).filter_map(|&seen| self.category(seen)).collect();
        self.with_catalog(|catalog| {
            fill_with_trending(list, &self.day, catalog, &categories, &is_new, now, limit)
        })
    }

    /// Products for a visitor, without those that the visitor knows already.
    pub(crate) fn for_visitor(
        &self,
        visitor: &VisitorId,
        now: DateTime<Utc>,
        limit: usize,
    ) -> Vec<Recommendation> {
        let unknown = Profile::default();
        let profile = self.profiles.get(visitor).unwrap_or(&unknown);
        let sources =
            Sources { sessions: &self.index, companions: &self.companions, trending: &self.day };
        self.with_catalog(|catalog| {
            personalization::recommend(profile, sources, catalog, now, limit.min(MAX_LIST))
        })
    }

    /// The products of the latest open session with this key, in the order of the interactions.
    pub(crate) fn session_products(&self, key: &SessionKey) -> Vec<Uuid> {
        let interactions = self.sessions.interactions(key).iter();
        interactions
            .filter(|interaction| interaction.kind.demand_weight().is_some())
            .filter_map(|interaction| interaction.product)
            .collect()
    }

    /// Statistics of the sessions that started at or after `from` and before `to`.
    pub(crate) fn session_statistics(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> SessionStatistics {
        self.sessions.statistics(from, to, now)
    }

    /// The funnel of the sessions that started at or after `from` and before `to`.
    pub(crate) fn funnel(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Funnel {
        self.sessions.funnel(from, to)
    }

    fn is_available(&self, product: Uuid) -> bool {
        self.products.get(&product).is_some_and(|product| product.active && product.in_stock)
    }

    fn category(&self, product: Uuid) -> Option<Arc<str>> {
        self.products.get(&product).map(|product| Arc::clone(&product.category))
    }

    fn with_catalog<T>(&self, query: impl FnOnce(&CatalogView<'_>) -> T) -> T {
        query(&CatalogView {
            is_available: &|product| self.is_available(product),
            category: &|product| self.category(product),
        })
    }
}

/// Whether a category equals another one or is below it.
fn is_within(category: &str, ancestor: &str) -> bool {
    category
        .strip_prefix(ancestor.trim_end_matches('/'))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn with_reason(suggestions: Vec<Suggestion>, code: ReasonCode) -> Vec<Recommendation> {
    suggestions.into_iter().map(|suggestion| suggestion.with_reason(code)).collect()
}

#[cfg(test)]
mod tests {
    use super::is_within;

    #[test]
    fn a_category_contains_itself_and_its_subcategories() {
        assert!(is_within("a/b/c", "a/b"));
        assert!(is_within("a/b", "a/b/"));
        assert!(!is_within("a/bc", "a/b"));
        assert!(!is_within("a", "a/b"));
    }
}
