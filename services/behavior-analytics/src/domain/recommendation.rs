//! What an answer is made of: a product, how strongly it is meant, and why.

use std::cmp::Ordering;

use uuid::Uuid;

/// A product that one source suggests, and what it is suggested for.
#[derive(Clone, Debug, PartialEq)]
pub struct Suggestion {
    /// What.
    pub product: Uuid,
    /// How strongly; comparable within one answer only.
    pub score: f64,
    /// The products that led to it, strongest first.
    pub because: Vec<Uuid>,
}

impl Suggestion {
    /// The suggestion with its reason.
    pub fn with_reason(self, code: ReasonCode) -> Recommendation {
        Recommendation {
            product: self.product,
            score: self.score,
            reason: Reason { code, because: self.because },
        }
    }
}

/// Why a product is recommended, as a program reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReasonCode {
    /// Others looked at both.
    ViewedTogether,
    /// It fits what the visitor looked at, as a whole.
    FromYourVisit,
    /// Others bought both.
    BoughtTogether,
    /// It is in demand in a category that the visitor, or the product asked about, is in.
    TrendingInCategory,
    /// It is in demand.
    Trending,
}

impl ReasonCode {
    /// The code on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ViewedTogether => "viewed_together",
            Self::FromYourVisit => "from_your_visit",
            Self::BoughtTogether => "bought_together",
            Self::TrendingInCategory => "trending_in_category",
            Self::Trending => "trending",
        }
    }

    /// The sentence that a shopper reads.
    pub const fn text(self) -> &'static str {
        match self {
            Self::ViewedTogether => "看了又看",
            Self::FromYourVisit => "根据你的浏览推荐",
            Self::BoughtTogether => "一起购买",
            Self::TrendingInCategory => "同类热卖",
            Self::Trending => "正在热卖",
        }
    }
}

/// Why a product is recommended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// For programs; [`ReasonCode::text`] is for people.
    pub code: ReasonCode,
    /// The products that led to it, strongest first; none where only demand speaks.
    pub because: Vec<Uuid>,
}

/// A product that is recommended.
#[derive(Clone, Debug, PartialEq)]
pub struct Recommendation {
    /// What.
    pub product: Uuid,
    /// How strongly; falls along a list, comparable within it only.
    pub score: f64,
    /// Why.
    pub reason: Reason,
}

/// Orders suggestions best first; equal scores by product, so that the order is the same everywhere.
fn best_first(a: &Suggestion, b: &Suggestion) -> Ordering {
    b.score.total_cmp(&a.score).then_with(|| a.product.cmp(&b.product))
}

/// Keeps the best `k`, best first.
pub(super) fn top(mut suggestions: Vec<Suggestion>, k: usize) -> Vec<Suggestion> {
    if k == 0 {
        return Vec::new();
    }
    if suggestions.len() > k {
        suggestions.select_nth_unstable_by(k - 1, best_first);
        suggestions.truncate(k);
    }
    suggestions.sort_unstable_by(best_first);
    suggestions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_come_first_and_equals_are_ordered_by_product() {
        let suggestion = |product: u128, score: f64| Suggestion {
            product: Uuid::from_u128(product),
            score,
            because: Vec::new(),
        };
        let all =
            vec![suggestion(3, 1.0), suggestion(4, 0.5), suggestion(1, 1.0), suggestion(2, 2.0)];
        let names = |k: usize| -> Vec<u128> {
            top(all.clone(), k).iter().map(|best| best.product.as_u128()).collect()
        };
        assert_eq!(names(0), [0_u128; 0]);
        assert_eq!(names(2), [2, 1]);
        assert_eq!(names(9), [2, 1, 3, 4]);
    }

    #[test]
    fn every_reason_has_its_own_code_and_text() {
        use ReasonCode::{
            BoughtTogether, FromYourVisit, Trending, TrendingInCategory, ViewedTogether,
        };
        let codes = [ViewedTogether, FromYourVisit, BoughtTogether, TrendingInCategory, Trending];
        for (at, code) in codes.iter().enumerate() {
            for other in &codes[at + 1..] {
                assert_ne!(code.as_str(), other.as_str());
                assert_ne!(code.text(), other.text());
            }
        }
    }
}
