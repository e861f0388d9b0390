//! A recommended product with its score and reason.

use std::cmp::Ordering;

use uuid::Uuid;

/// A product that one source suggests.
#[derive(Clone, Debug, PartialEq)]
pub struct Suggestion {
    pub product: Uuid,
    /// Comparable within one list only.
    pub score: f64,
    /// The products that caused the suggestion, strongest first.
    pub because: Vec<Uuid>,
}

impl Suggestion {
    pub(crate) fn with_reason(self, code: ReasonCode) -> Recommendation {
        Recommendation {
            product: self.product,
            score: self.score,
            reason: Reason { code, because: self.because },
        }
    }
}

/// The machine-readable reason of a recommendation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum ReasonCode {
    /// Other visitors viewed both products.
    ViewedTogether,
    /// It matches the visitor's interactions as a whole.
    FromYourVisit,
    /// Other customers bought both products.
    BoughtTogether,
    /// It is in demand in a category of the visitor's products, or of the given product.
    TrendingInCategory,
    /// It is in demand in the whole shop.
    Trending,
}

impl ReasonCode {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::ViewedTogether => "viewed_together",
            Self::FromYourVisit => "from_your_visit",
            Self::BoughtTogether => "bought_together",
            Self::TrendingInCategory => "trending_in_category",
            Self::Trending => "trending",
        }
    }
}

/// Why a product is recommended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reason {
    pub(crate) code: ReasonCode,
    /// The products that caused the recommendation, strongest first; empty if the reason is demand alone.
    pub(crate) because: Vec<Uuid>,
}

/// A recommended product with its reason.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Recommendation {
    pub(crate) product: Uuid,
    /// Decreases along a list; comparable within it only.
    pub(crate) score: f64,
    pub(crate) reason: Reason,
}

/// Orders suggestions best first, and equal scores by product, so that the order is deterministic.
fn best_first(a: &Suggestion, b: &Suggestion) -> Ordering {
    b.score.total_cmp(&a.score).then_with(|| a.product.cmp(&b.product))
}

/// Returns the `limit` best suggestions, best first.
pub(super) fn top(mut suggestions: Vec<Suggestion>, limit: usize) -> Vec<Suggestion> {
    if limit == 0 {
        return Vec::new();
    }
    if suggestions.len() > limit {
        suggestions.select_nth_unstable_by(limit - 1, best_first);
        suggestions.truncate(limit);
    }
    suggestions.sort_unstable_by(best_first);
    suggestions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn best_come_first_and_ties_sort_by_product() {
        let suggestion = |product: u128, score: f64| Suggestion {
            product: Uuid::from_u128(product),
            score,
            because: Vec::new(),
        };
        let all =
            vec![suggestion(3, 1.0), suggestion(4, 0.5), suggestion(1, 1.0), suggestion(2, 2.0)];
        let numbers = |limit: usize| -> Vec<u128> {
            top(all.clone(), limit).iter().map(|best| best.product.as_u128()).collect()
        };
        assert_eq!(numbers(0), [0_u128; 0]);
        assert_eq!(numbers(2), [2, 1]);
        assert_eq!(numbers(9), [2, 1, 3, 4]);
    }
}
