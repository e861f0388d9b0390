//! When a product's demand has changed enough to publish a new popularity score.

use std::collections::HashMap;

use uuid::Uuid;
use vocabulary::{ProductId, Version};

/// The most scores that are published at once, the largest changes first. The next comparison finds the
/// others again.
const BATCH_SIZE: usize = 500;

/// The rule by which a change of the score is published: both thresholds must be reached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChangeThreshold {
    /// The smallest change, in views.
    pub(crate) min_change: f64,
    /// The change must exceed this share of the published score.
    pub(crate) min_share: f64,
}

impl ChangeThreshold {
    pub(crate) const DEFAULT: Self = Self { min_change: 0.5, min_share: 0.2 };

    /// A count below `min_change` scores zero, so that every product's score returns to zero in the end.
    fn score(self, count: f64) -> f64 {
        if count < self.min_change { 0.0 } else { count }
    }

    fn is_reached(self, published: f64, current: f64) -> bool {
        let change = (current - published).abs();
        change >= self.min_change && change > self.min_share * published
    }
}

/// The stored popularity of a product.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Popularity {
    pub(crate) product_id: ProductId,
    /// Increases with every change.
    pub(crate) version: Version,
    /// A decayed count of demand, in views.
    pub(crate) score: f64,
}

/// The scores to publish, the largest changes first. A product without demand now scores zero.
pub(crate) fn changed_scores(
    published: &HashMap<Uuid, f64>,
    demand: &[(Uuid, f64)],
    threshold: ChangeThreshold,
) -> Vec<(Uuid, f64)> {
    let current: HashMap<Uuid, f64> =
        demand.iter().map(|&(product, count)| (product, threshold.score(count))).collect();
    let without_demand =
        published.keys().filter(|product| !current.contains_key(product)).map(|&gone| (gone, 0.0));
    let mut changed: Vec<(f64, Uuid, f64)> = current
        .iter()
        .map(|(&product, &score)| (product, score))
        .chain(without_demand)
        .filter_map(|(product, score)| {
            let before = published.get(&product).copied().unwrap_or(0.0);
            let reached = threshold.is_reached(before, score);
            reached.then(|| ((score - before).abs(), product, score))
        })
        .collect();
    changed.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    changed.truncate(BATCH_SIZE);
    changed.into_iter().map(|(_, product, score)| (product, score)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(published: &HashMap<Uuid, f64>, demand: &[(Uuid, f64)]) -> Vec<(Uuid, f64)> {
        changed_scores(published, demand, ChangeThreshold::DEFAULT)
    }

    #[test]
    fn small_changes_are_not_published() {
        let reached = |before, now| ChangeThreshold::DEFAULT.is_reached(before, now);
        assert!(reached(0.0, 0.5) && reached(1.0, 0.0) && reached(10.0, 12.1));
        assert!(!reached(0.0, 0.4) && !reached(10.0, 11.9) && !reached(10.0, 8.1));
    }

    #[test]
    fn fading_demand_is_published_as_zero_once() {
        let product = Uuid::from_u128(1);
        let mut published = HashMap::from([(product, 0.9)]);
        for demand in [vec![(product, 0.49)], vec![]] {
            assert_eq!(changed(&published, &demand), [(product, 0.0)]);
        }
        published.insert(product, 0.0);
        assert_eq!(changed(&published, &[(product, 0.49)]), []);
        assert_eq!(changed(&published, &[]), []);
    }

    #[test]
    fn largest_changes_come_first_and_the_rest_later() {
        let counts = (1_u16..=600).map(|n| (Uuid::from_u128(u128::from(n)), f64::from(n)));
        let demand: Vec<(Uuid, f64)> = counts.collect();
        let first = changed(&HashMap::new(), &demand);
        assert_eq!(first.len(), BATCH_SIZE);
        assert_eq!(first[0].0, Uuid::from_u128(600));
        assert_eq!(changed(&first.into_iter().collect(), &demand).len(), 100);
    }
}
