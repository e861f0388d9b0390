//! Popularity scores change often. The index takes a new score only if it may change the order of hits.

use vocabulary::ProductId;

/// The smallest significant change.
const CHANGE_MIN: f64 = 0.1;

/// The smallest significant change, as a share of the score.
const CHANGE_SHARE_MIN: f64 = 0.1;

/// The indexed and the current score of a product.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ScoreChange {
    pub(crate) product_id: ProductId,
    pub(crate) indexed: f64,
    pub(crate) current: f64,
}

/// Whether the current score differs enough from the indexed one to index the product again.
pub(crate) fn is_significant(indexed: f64, current: f64) -> bool {
    (current - indexed).abs() > CHANGE_MIN.max(indexed.abs() * CHANGE_SHARE_MIN)
}

#[cfg(test)]
mod tests {
    use super::is_significant;

    #[test]
    fn small_changes_are_not_significant() {
        assert!(!is_significant(0.0, 0.1));
        assert!(is_significant(0.0, 0.2));
        assert!(!is_significant(100.0, 109.0));
        assert!(is_significant(100.0, 111.0));
        assert!(is_significant(100.0, 0.0));
    }
}
