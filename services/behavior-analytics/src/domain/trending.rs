//! What is in demand: per product a count that halves with every half-life.
//!
//! Of each product one number is kept, its *heat*: the binary logarithm of its count, as it would read at a fixed
//! instant in the past. An event of weight w at time t adds w × 2^(t / half-life) there, so heats of different products
//! compare without regard to now, an event that comes late weighs what it would have weighed in time, and the order
//! of the products is always at hand.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::event::EventKind;

/// A product whose count has fallen below this is dropped.
const SMALLEST_COUNT: f64 = 0.01;

/// What an event says about demand for its product, in views; none if it says nothing.
pub const fn demand(kind: EventKind) -> Option<f64> {
    match kind {
        EventKind::ProductViewed | EventKind::ProductClicked => Some(1.0),
        EventKind::CartAdded => Some(4.0),
        EventKind::OrderCompleted => Some(10.0),
        EventKind::ListViewed
        | EventKind::Searched
        | EventKind::CartRemoved
        | EventKind::CheckoutStarted => None,
    }
}

/// The binary logarithm of a count at the beginning of 1970; ordered as a number.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Heat(f64);

impl Eq for Heat {}

impl PartialOrd for Heat {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Heat {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl Heat {
    /// The heat of both counts together.
    fn plus(self, other: Self) -> Self {
        let (low, high) = if self < other { (self, other) } else { (other, self) };
        Self(high.0 + (low.0 - high.0).exp2().ln_1p() / std::f64::consts::LN_2)
    }
}

/// A product in demand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trend {
    /// Which.
    pub product: Uuid,
    /// Its count at the time of asking, in views.
    pub count: f64,
}

/// The counts for one half-life.
#[derive(Debug)]
pub struct Trending {
    half_life: TimeDelta,
    capacity: usize,
    newest: DateTime<Utc>,
    heats: HashMap<Uuid, Heat>,
    /// Coldest first; of equals the one with the largest id, so that the smallest is shown first.
    by_heat: BTreeSet<(Heat, Reverse<Uuid>)>,
}

impl Trending {
    /// Nothing in demand yet. Holds at most `capacity` products.
    pub fn new(half_life: TimeDelta, capacity: usize) -> Self {
        Self {
            half_life,
            capacity,
            newest: DateTime::UNIX_EPOCH,
            heats: HashMap::new(),
            by_heat: BTreeSet::new(),
        }
    }

    /// How many products it holds.
    pub fn products(&self) -> usize {
        self.heats.len()
    }

    /// Counts `weight` for a product.
    pub fn count(&mut self, product: Uuid, weight: f64, at: DateTime<Utc>) {
        let added = Heat(weight.log2() + self.half_lives(at));
        let before = self.heats.get(&product).copied();
        let after = before.map_or(added, |before| before.plus(added));
        if let Some(before) = before {
            self.by_heat.remove(&(before, Reverse(product)));
        }
        self.heats.insert(product, after);
        self.by_heat.insert((after, Reverse(product)));
        self.newest = self.newest.max(at);
        self.prune();
    }

    /// The `k` products most in demand that `keep` lets through, the most demanded first.
    pub fn top(&self, now: DateTime<Utc>, k: usize, keep: impl Fn(Uuid) -> bool) -> Vec<Trend> {
        let elapsed = self.half_lives(now);
        self.by_heat
            .iter()
            .rev()
            .filter(|(_, Reverse(product))| keep(*product))
            .take(k)
            .map(|&(heat, Reverse(product))| Trend { product, count: (heat.0 - elapsed).exp2() })
            .collect()
    }

    fn half_lives(&self, at: DateTime<Utc>) -> f64 {
        let since = at.signed_duration_since(DateTime::UNIX_EPOCH);
        since.as_seconds_f64() / self.half_life.as_seconds_f64()
    }

    /// Drops what has grown cold, and the coldest beyond the capacity.
    fn prune(&mut self) {
        let coldest = Heat(SMALLEST_COUNT.log2() + self.half_lives(self.newest));
        while let Some(&(heat, Reverse(product))) = self.by_heat.first()
            && (heat < coldest || self.heats.len() > self.capacity)
        {
            self.by_heat.pop_first();
            self.heats.remove(&product);
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

    fn names(trends: &[Trend]) -> Vec<u128> {
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
    fn fresh_demand_overtakes_old_demand() {
        let mut trending = Trending::new(HALF_HOUR, 10);
        for _ in 0..5 {
            trending.count(product(1), 1.0, at(0));
        }
        trending.count(product(2), 2.0, at(60));
        assert_eq!(names(&trending.top(at(60), 5, |_| true)), [2, 1]);
        let mut by_day = Trending::new(TimeDelta::days(1), 10);
        for _ in 0..5 {
            by_day.count(product(1), 1.0, at(0));
        }
        by_day.count(product(2), 2.0, at(60));
        assert_eq!(names(&by_day.top(at(60), 5, |_| true)), [1, 2]);
    }

    #[test]
    fn a_filter_is_applied_before_the_best_are_taken_and_equals_are_ordered_by_product() {
        let mut trending = Trending::new(HALF_HOUR, 10);
        for number in [4, 3, 2, 1] {
            trending.count(product(number), 1.0, at(0));
        }
        assert_eq!(names(&trending.top(at(0), 3, |_| true)), [1, 2, 3]);
        let even = |id: Uuid| id.as_u128().is_multiple_of(2);
        assert_eq!(names(&trending.top(at(0), 3, even)), [2, 4]);
    }

    #[test]
    fn what_has_grown_cold_is_dropped() {
        let mut trending = Trending::new(HALF_HOUR, 10);
        trending.count(product(1), 1.0, at(0));
        trending.count(product(2), 1.0, at(6 * 30));
        assert_eq!(trending.products(), 2);
        trending.count(product(2), 1.0, at(7 * 30));
        assert_eq!(trending.products(), 1);
    }

    #[test]
    fn demand_grows_towards_the_purchase() {
        let weights: Vec<f64> = EventKind::ALL.into_iter().filter_map(demand).collect();
        assert_eq!(weights, [1.0, 1.0, 4.0, 10.0]);
    }

    proptest! {
        /// Late events weigh what they would have weighed in time, and the bound holds.
        #[test]
        fn counts_equal_the_sum_of_decayed_weights_in_any_order(
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
            prop_assert_eq!(trending.heats.len(), trending.by_heat.len());
        }
    }
}
