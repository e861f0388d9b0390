//! Filling up a list with products in demand, so that there is always a list.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    recommendation::{Reason, ReasonCode, Recommendation},
    trending::{Trend, Trending},
};

/// Lookups into the catalogue.
pub(crate) struct CatalogView<'a> {
    /// Whether a product may be recommended: it is active and in stock.
    pub(crate) is_available: &'a dyn Fn(Uuid) -> bool,
    pub(crate) category: &'a dyn Fn(Uuid) -> Option<Arc<str>>,
}

/// Fills a list up to `limit` with products in demand that pass `filter`: first from the given categories,
/// then from all. The scores continue to decrease from the last one of the list.
pub(crate) fn fill_with_trending(
    mut list: Vec<Recommendation>,
    trending: &Trending,
    catalog: &CatalogView<'_>,
    categories: &[Arc<str>],
    filter: &dyn Fn(Uuid) -> bool,
    now: DateTime<Utc>,
    limit: usize,
) -> Vec<Recommendation> {
    let in_categories = |product: Uuid| {
        (catalog.category)(product).is_some_and(|category| categories.contains(&category))
    };
    if list.len() < limit && !categories.is_empty() {
        let is_new = |product: Uuid| !contains(&list, product);
        let matches = |product: Uuid| in_categories(product) && filter(product) && is_new(product);
        let trends = trending.top(now, limit - list.len(), matches);
        append(&mut list, &trends, ReasonCode::TrendingInCategory);
    }
    if list.len() < limit {
        let is_new = |product: Uuid| !contains(&list, product);
        let matches = |product: Uuid| filter(product) && is_new(product);
        let trends = trending.top(now, limit - list.len(), matches);
        append(&mut list, &trends, ReasonCode::Trending);
    }
    list
}

/// Fills a list up to `limit` with those trends that it does not contain yet. The scores continue to
/// decrease.
pub(crate) fn fill_with(
    mut list: Vec<Recommendation>,
    trends: &[Trend],
    limit: usize,
) -> Vec<Recommendation> {
    let new = trends.iter().filter(|trend| !contains(&list, trend.product));
    let new: Vec<Trend> = new.take(limit.saturating_sub(list.len())).copied().collect();
    append(&mut list, &new, ReasonCode::Trending);
    list
}

fn contains(list: &[Recommendation], product: Uuid) -> bool {
    list.iter().any(|listed| listed.product == product)
}

fn append(list: &mut Vec<Recommendation>, trends: &[Trend], code: ReasonCode) {
    let ceiling = list.last().map_or(1.0, |last| last.score);
    let highest = trends.first().map_or(1.0, |first| first.count).max(f64::MIN_POSITIVE);
    list.extend(trends.iter().map(|trend| Recommendation {
        product: trend.product,
        score: ceiling * (trend.count / highest),
        reason: Reason { code, because: Vec::new() },
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filled_list_has_distinct_products_and_falling_scores() {
        let trend = |number: u128, count: f64| Trend { product: Uuid::from_u128(number), count };
        let list = fill_with(Vec::new(), &[trend(1, 8.0), trend(2, 4.0)], 2);
        let trends = [trend(2, 3.0), trend(3, 2.0), trend(4, 1.0), trend(5, 0.5)];
        let list = fill_with(list, &trends, 4);
        let numbers: Vec<u128> = list.iter().map(|one| one.product.as_u128()).collect();
        assert_eq!(numbers, [1, 2, 3, 4]);
        assert!(list.is_sorted_by(|a, b| a.score >= b.score), "{list:?}");
    }
}
