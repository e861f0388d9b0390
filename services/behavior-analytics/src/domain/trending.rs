//! Products in demand: per product a count that halves with every half-life.
//!
//! Each product has one number, the binary logarithm of its count converted to a fixed instant in the past.
//! An event of weight w at time t adds w × 2^(t / half-life) there. So counts compare without regard to the
//! current time, and the products are always sorted. A late event weighs as much as a punctual one.

use std::{
    cmp::{Ordering, Reverse},
    collections::{BTreeSet, HashMap},
};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

/// Products with a smaller count are dropped.
const MIN_COUNT: f64 = 0.01;

/// The period over which demand is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TrendingWindow {
    /// A half-life of 30 minutes: what is rising.
    Now,
    /// A half-life of one day: what sells.
    Day,
}

impl TrendingWindow {
    pub(crate) const fn half_life(self) -> TimeDelta {
        match self {
            Self::Now => TimeDelta::minutes(30),
            Self::Day => TimeDelta::days(1),
        }
    }
}

/// The binary logarithm of a count, converted to the beginning of 1970.
#[derive(Clone, Copy, Debug, PartialEq)]
struct DecayedCount(f64);

impl Eq for DecayedCount {}

impl PartialOrd for DecayedCount {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for DecayedCount {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl DecayedCount {
    fn plus(self, other: Self) -> Self {
        let (low, high) = if self < other { (self, other) } else { (other, self) };
        Self(high.0 + (low.0 - high.0).exp2().ln_1p() / std::f64::consts::LN_2)
    }
}

/// A product in demand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Trend {
    pub(crate) product: Uuid,
    /// Its count at the time of the query, in views.
    pub(crate) count: f64,
}

/// The counts for one half-life.
#[derive(Debug)]
pub(crate) struct Trending {
    half_life: TimeDelta,
    capacity: usize,
    newest: DateTime<Utc>,
    counts: HashMap<Uuid, DecayedCount>,
    /// Lowest count first; of equal counts the largest id, so that queries return the smallest id first.
    by_count: BTreeSet<(DecayedCount, Reverse<Uuid>)>,
}

impl Trending {
    /// Creates empty counts of at most `capacity` products.
    pub(crate) fn new(half_life: TimeDelta, capacity: usize) -> Self {
        Self {
            half_life,
            capacity,
            newest: DateTime::UNIX_EPOCH,
            counts: HashMap::new(),
            by_count: BTreeSet::new(),
        }
    }

    #[cfg(test)]
    pub(crate) fn products(&self) -> usize {
        self.counts.len()
    }

    /// Adds `weight` to a product's count.
    pub(crate) fn count(&mut self, product: Uuid, weight: f64, at: DateTime<Utc>) {
        let added = DecayedCount(weight.log2() + self.half_lives(at));
        let before = self.counts.get(&product).copied();
        let after = before.map_or(added, |before| before.plus(added));
        if let Some(before) = before {
            self.by_count.remove(&(before, Reverse(product)));
        }
        self.counts.insert(product, after);
        self.by_count.insert((after, Reverse(product)));
        self.newest = self.newest.max(at);
        self.prune();
    }

    /// The `limit` products with the highest counts among those that pass `filter`, highest first.
    pub(crate) fn top(
        &self,
        now: DateTime<Utc>,
        limit: usize,
        filter: impl Fn(Uuid) -> bool,
    ) -> Vec<Trend> {
        let elapsed = self.half_lives(now);
        self.by_count
            .iter()
            .rev()
            .filter(|(_, Reverse(product))| filter(*product))
            .take(limit)
            .map(|&(count, Reverse(product))| Trend { product, count: (count.0 - elapsed).exp2() })
            .collect()
    }

    fn half_lives(&self, at: DateTime<Utc>) -> f64 {
        let since = at.signed_duration_since(DateTime::UNIX_EPOCH);
        since.as_seconds_f64() / self.half_life.as_seconds_f64()
    }

    /// Drops products below the smallest count, and the lowest ones beyond the capacity.
    fn prune(&mut self) {
        let lowest = DecayedCount(MIN_COUNT.log2() + self.half_lives(self.newest));
        while let Some(&(count, Reverse(product))) = self.by_count.first()
            && (count < lowest || self.counts.len() > self.capacity)
        {
            self.by_count.pop_first();
            self.counts.remove(&product);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HALF_HOUR: TimeDelta = TimeDelta::minutes(30);

    fn product(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000 + minutes * 60, 0).unwrap()
    }

    fn numbers(trends: &[Trend]) -> Vec<u128> {
        trends.iter().map(|trend| trend.product.as_u128()).collect()
    }

    #[test]
    fn a_count_halves_with_every_half_life() {
        let mut trending = Trending::new(HALF_HOUR, 10);
        trending.count(product(1), 4.0, at(0));
        trending.count(product(1), 1.0, at(30));
        let count = |minutes: i64| trending.top(at(minutes), 1, |_| true)[0].count;
        assert!((count(30) - 3.0).abs() < 1e-6);
        assert!((count(60) - 1.5).abs() < 1e-6);
    }

    #[test]
    fn new_demand_overtakes_old_demand() {
        let mut trending = Trending::new(HALF_HOUR, 10);
        for _ in 0..5 {
            trending.count(product(1), 1.0, at(0));
        }
        trending.count(product(2), 2.0, at(60));
        assert_eq!(numbers(&trending.top(at(60), 5, |_| true)), [2, 1]);
        let mut by_day = Trending::new(TimeDelta::days(1), 10);
        for _ in 0..5 {
            by_day.count(product(1), 1.0, at(0));
        }
        by_day.count(product(2), 2.0, at(60));
        assert_eq!(numbers(&by_day.top(at(60), 5, |_| true)), [1, 2]);
    }

    #[test]
    fn filter_precedes_limit_and_ties_sort_by_product() {
        let mut trending = Trending::new(HALF_HOUR, 10);
        for number in [4, 3, 2, 1] {
            trending.count(product(number), 1.0, at(0));
        }
        assert_eq!(numbers(&trending.top(at(0), 3, |_| true)), [1, 2, 3]);
        let even = |id: Uuid| id.as_u128().is_multiple_of(2);
        assert_eq!(numbers(&trending.top(at(0), 3, even)), [2, 4]);
    }

    #[test]
    fn products_below_the_smallest_count_are_dropped() {
        let mut trending = Trending::new(HALF_HOUR, 10);
        trending.count(product(1), 1.0, at(0));
        trending.count(product(2), 1.0, at(6 * 30));
        assert_eq!(trending.products(), 2);
        trending.count(product(2), 1.0, at(7 * 30));
        assert_eq!(trending.products(), 1);
    }

    proptest! {
        #[test]
        fn counts_are_sums_of_decayed_weights_in_any_order(
            events in prop::collection::vec((0_u128..5, 1_u32..10, 0_i64..120), 1..60),
        ) {
            let mut trending = Trending::new(HALF_HOUR, 5);
            for &(number, weight, minutes) in &events {
                trending.count(product(number), f64::from(weight), at(minutes));
            }
            let now = at(120);
            for trend in trending.top(now, 5, |_| true) {
                let expected: f64 = events
                    .iter()
                    .filter(|(number, _, _)| product(*number) == trend.product)
                    .map(|&(_, weight, minutes)| {
                        let age = now.signed_duration_since(at(minutes)).as_seconds_f64();
                        f64::from(weight) * (-age / HALF_HOUR.as_seconds_f64()).exp2()
                    })
                    .sum();
                prop_assert!((trend.count - expected).abs() < 1e-6 * expected.max(1.0));
            }
            prop_assert!(trending.products() <= 5);
            prop_assert_eq!(trending.counts.len(), trending.by_count.len());
        }
    }
}
