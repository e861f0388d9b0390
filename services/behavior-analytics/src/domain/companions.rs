//! Companions: products that are bought together.
//!
//! The index keeps the newest baskets, and per product the list of its baskets. A query counts from these
//! lists how often two products share a basket. So the counts are exact, and an old basket or a visitor can
//! be removed completely. Memory grows with the baskets, not with the square of the products.
//!
//! The score of two products is the Jaccard index of their baskets: baskets with both, divided by baskets
//! with either. On real invoices it predicts better than confidence, which favours common products, and lift,
//! which favours rare ones.

use std::collections::{BTreeSet, HashMap, VecDeque};

use chrono::{DateTime, Utc};
use uuid::Uuid;
use vocabulary::CustomerId;

use super::{
    identity::VisitorId,
    recommendation::{Suggestion, top},
    slots::{SlotMap, allocate, count, index},
};

/// Bounds of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompanionLimits {
    /// Baskets. Beyond this bound, the oldest is dropped.
    pub baskets: usize,
    /// The first products of a basket that are kept. Longer baskets belong to wholesalers; their pairs mean
    /// little.
    pub products_per_basket: usize,
    /// The newest baskets of a product from which a query counts pairs. The counts of a product with more
    /// baskets are scaled up.
    pub baskets_per_query: usize,
}

impl Default for CompanionLimits {
    fn default() -> Self {
        Self { baskets: 200_000, products_per_basket: 60, baskets_per_query: 5_000 }
    }
}

/// Two products that share n baskets keep n / (n + `SHRINKAGE`) of their score. Otherwise, one shared basket
/// would make two rare products a perfect pair.
const SHRINKAGE: f64 = 0.5;

/// The most products that one query may name; only the last ones are used.
const MAX_QUERY_PRODUCTS: usize = 60;

/// The most products that a suggestion names as its cause.
const MAX_BECAUSE: usize = 3;

/// An index of baskets.
#[derive(Debug)]
pub struct Companions {
    limits: CompanionLimits,
    baskets: Vec<IndexedBasket>,
    free_baskets: Vec<u32>,
    basket_slots: HashMap<Uuid, u32>,
    by_age: BTreeSet<(DateTime<Utc>, u64, u32)>,
    last_serial: u64,
    products: Vec<IndexedProduct>,
    free_products: Vec<u32>,
    product_slots: HashMap<Uuid, u32>,
}

#[derive(Debug)]
struct IndexedBasket {
    id: Uuid,
    at: DateTime<Utc>,
    /// Increases with every basket; sorts baskets of the same instant.
    serial: u64,
    customer: CustomerId,
    products: Vec<u32>,
}

#[derive(Debug)]
struct IndexedProduct {
    product: Uuid,
    /// In the order of insertion.
    baskets: VecDeque<u32>,
}

/// The sum of a product's scores with all products of a query.
#[derive(Default)]
struct ScoreSum {
    score: f64,
    /// The highest scores and their query products, highest first.
    strongest: [Option<(f64, u32)>; MAX_BECAUSE],
}

impl ScoreSum {
    fn add(&mut self, score: f64, query_product: u32) {
        self.score += score;
        let mut carried = Some((score, query_product));
        for kept in &mut self.strongest {
            if carried.map(|(score, _)| score) > kept.map(|(score, _)| score) {
                std::mem::swap(kept, &mut carried);
            }
        }
    }

    fn causes(&self) -> impl Iterator<Item = u32> {
        self.strongest.iter().flatten().map(|&(_, product)| product)
    }
}

impl Companions {
    /// Creates an empty index.
    pub fn new(limits: CompanionLimits) -> Self {
        Self {
            limits,
            baskets: Vec::new(),
            free_baskets: Vec::new(),
            basket_slots: HashMap::new(),
            by_age: BTreeSet::new(),
            last_serial: 0,
            products: Vec::new(),
            free_products: Vec::new(),
            product_slots: HashMap::new(),
        }
    }

    /// The number of indexed baskets.
    pub fn basket_count(&self) -> usize {
        self.by_age.len()
    }

    /// The number of indexed products.
    pub fn product_count(&self) -> usize {
        self.product_slots.len()
    }

    /// Adds the basket of a customer, unless it is known already.
    pub fn learn_basket(
        &mut self,
        basket: Uuid,
        products: &[Uuid],
        at: DateTime<Utc>,
        customer: CustomerId,
    ) {
        if products.is_empty() || self.basket_slots.contains_key(&basket) {
            return;
        }
        self.last_serial += 1;
        let indexed = IndexedBasket {
            id: basket,
            at,
            serial: self.last_serial,
            customer,
            products: Vec::new(),
        };
        let slot = allocate(&mut self.baskets, &mut self.free_baskets, indexed);
        self.basket_slots.insert(basket, slot);
        self.by_age.insert((at, self.last_serial, slot));
        for &product in products {
            let product = self.product_slot(product);
            let kept = &mut self.baskets[index(slot)].products;
            if kept.len() < self.limits.products_per_basket && !kept.contains(&product) {
                kept.push(product);
                self.products[index(product)].baskets.push_back(slot);
            } else {
                self.drop_if_unused(product);
            }
        }
        while self.by_age.len() > self.limits.baskets
            && let Some(&(_, _, oldest)) = self.by_age.first()
        {
            self.remove(oldest);
        }
    }

    /// Removes the baskets that this visitor bought, and returns their number.
    pub fn forget_visitor(&mut self, visitor: &VisitorId) -> usize {
        let Some(customer) = visitor.customer() else { return 0 };
        let baskets: Vec<u32> = self
            .by_age
            .iter()
            .map(|&(_, _, slot)| slot)
            .filter(|&slot| self.baskets[index(slot)].customer == customer)
            .collect();
        for &slot in &baskets {
            self.remove(slot);
        }
        baskets.len()
    }

    /// The products that are bought together with the given ones and pass `filter`, best first. A product's
    /// score is the sum of its scores with each given product.
    pub fn companions(
        &self,
        products: &[Uuid],
        limit: usize,
        filter: impl Fn(Uuid) -> bool,
    ) -> Vec<Suggestion> {
        let mut query: Vec<u32> = Vec::new();
        for product in products.iter().rev().take(MAX_QUERY_PRODUCTS) {
            if let Some(&slot) = self.product_slots.get(product)
                && !query.contains(&slot)
            {
                query.push(slot);
            }
        }
        let mut sums: SlotMap<ScoreSum> = SlotMap::default();
        for &product in &query {
            for (other, score) in self.pairs(product) {
                sums.entry(other).or_default().add(score, product);
            }
        }
        for product in &query {
            sums.remove(product);
        }
        let suggestions = sums
            .into_iter()
            .map(|(other, sum)| (self.products[index(other)].product, sum))
            .filter(|&(product, _)| filter(product))
            .map(|(product, sum)| Suggestion {
                product,
                score: sum.score,
                because: sum.causes().map(|cause| self.products[index(cause)].product).collect(),
            })
            .collect();
        top(suggestions, limit)
    }

    /// Every product that shares a basket with this one, with the score of the pair.
    fn pairs(&self, product: u32) -> impl Iterator<Item = (u32, f64)> {
        let own = &self.products[index(product)].baskets;
        let sampled = own.len().min(self.limits.baskets_per_query);
        let mut shared: SlotMap<u32> = SlotMap::default();
        for &basket in own.iter().rev().take(sampled) {
            let products = &self.baskets[index(basket)].products;
            for &other in products.iter().filter(|&&other| other != product) {
                *shared.entry(other).or_default() += 1;
            }
        }
        let with_this = f64::from(count(own.len()));
        let scale = with_this / f64::from(count(sampled));
        shared.into_iter().map(move |(other, shared)| {
            let with_other = f64::from(count(self.products[index(other)].baskets.len()));
            let with_both = (f64::from(shared) * scale).min(with_other);
            let with_either = with_this + with_other - with_both;
            (other, with_both / with_either * (with_both / (with_both + SHRINKAGE)))
        })
    }

    fn product_slot(&mut self, product: Uuid) -> u32 {
        if let Some(&slot) = self.product_slots.get(&product) {
            return slot;
        }
        let indexed = IndexedProduct { product, baskets: VecDeque::new() };
        let slot = allocate(&mut self.products, &mut self.free_products, indexed);
        self.product_slots.insert(product, slot);
        slot
    }

    fn remove(&mut self, slot: u32) {
        let basket = &mut self.baskets[index(slot)];
        self.by_age.remove(&(basket.at, basket.serial, slot));
        self.basket_slots.remove(&basket.id);
        let products = std::mem::take(&mut basket.products);
        self.free_baskets.push(slot);
        for product in products {
            let baskets = &mut self.products[index(product)].baskets;
            if let Some(position) = baskets.iter().position(|&other| other == slot) {
                baskets.remove(position);
            }
            self.drop_if_unused(product);
        }
    }

    /// Drops a product without baskets.
    fn drop_if_unused(&mut self, slot: u32) {
        let indexed = &mut self.products[index(slot)];
        if indexed.baskets.is_empty() && self.product_slots.remove(&indexed.product).is_some() {
            indexed.baskets = VecDeque::new();
            self.free_products.push(slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn bought() -> CustomerId {
        Uuid::nil().into()
    }

    fn product(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000 + minutes * 60, 0).unwrap()
    }

    fn index_of(limits: CompanionLimits, baskets: &[Vec<u128>]) -> Companions {
        let mut companions = Companions::new(limits);
        for (number, basket) in (0_i64..).zip(baskets) {
            let products: Vec<Uuid> = basket.iter().copied().map(product).collect();
            let id = Uuid::from_u128(u128::try_from(number).unwrap());
            companions.learn_basket(id, &products, at(number), bought());
        }
        companions
    }

    fn numbers(suggestions: &[Suggestion]) -> Vec<u128> {
        suggestions.iter().map(|suggestion| suggestion.product.as_u128()).collect()
    }

    /// The reference implementation: the scores with `one`, counted from all baskets.
    fn batch_scores(baskets: &[Vec<u128>], one: u128) -> BTreeMap<u128, f64> {
        let with = |number: u128| {
            f64::from(count(baskets.iter().filter(|basket| basket.contains(&number)).count()))
        };
        let others: std::collections::BTreeSet<u128> =
            baskets.iter().flatten().copied().filter(|&other| other != one).collect();
        let score = |other: u128| {
            let both =
                baskets.iter().filter(|basket| basket.contains(&one) && basket.contains(&other));
            let both = f64::from(count(both.count()));
            both / (with(one) + with(other) - both) * (both / (both + SHRINKAGE))
        };
        others
            .into_iter()
            .map(|other| (other, score(other)))
            .filter(|(_, score)| *score > 0.0)
            .collect()
    }

    #[test]
    fn products_bought_together_more_often_come_first() {
        let baskets = [vec![1, 2], vec![1, 2, 3], vec![1, 3], vec![1, 2], vec![3, 4], vec![3]];
        let companions = index_of(CompanionLimits::default(), &baskets);
        let found = companions.companions(&[product(1)], 10, |_| true);
        assert_eq!(numbers(&found), [2, 3]);
        assert_eq!(found[0].because, [product(1)]);
        assert_eq!(numbers(&companions.companions(&[product(1)], 1, |_| true)), [2]);
        assert_eq!(numbers(&companions.companions(&[product(1)], 1, |id| id != product(2))), [3]);
        assert!(companions.companions(&[product(9)], 10, |_| true).is_empty());
        assert!(companions.companions(&[], 10, |_| true).is_empty());
    }

    #[test]
    fn scores_with_several_products_add_up() {
        let baskets = [vec![1, 2, 3], vec![1, 2, 3], vec![1, 4], vec![2, 3]];
        let companions = index_of(CompanionLimits::default(), &baskets);
        let found = companions.companions(&[product(1), product(2), product(1)], 10, |_| true);
        assert_eq!(numbers(&found), [3, 4]);
        assert_eq!(found[0].because, [product(2), product(1)]);
    }

    #[test]
    fn a_repeated_basket_counts_once() {
        let mut companions = index_of(CompanionLimits::default(), &[vec![1, 2, 2]]);
        let once = companions.companions(&[product(1)], 10, |_| true);
        companions.learn_basket(product(0), &[product(1), product(2)], at(5), bought());
        companions.learn_basket(product(0), &[product(1), product(3)], at(5), bought());
        assert_eq!(companions.companions(&[product(1)], 10, |_| true), once);
        assert_eq!(companions.basket_count(), 1);
    }

    #[test]
    fn forgetting_removes_the_baskets_of_a_person() {
        let [buyer, other] = [1, 2].map(|number| CustomerId::from(Uuid::from_u128(number)));
        let mut companions = Companions::new(CompanionLimits::default());
        for (id, customer) in [(1, buyer), (2, buyer), (3, other)] {
            companions.learn_basket(product(id), &[product(1), product(2)], at(0), customer);
        }
        assert_eq!(companions.forget_visitor(&VisitorId::parse("v").unwrap()), 0);
        assert_eq!(companions.forget_visitor(&VisitorId::of(buyer)), 2);
        assert_eq!(companions.basket_count(), 1);
        assert_eq!(companions.forget_visitor(&VisitorId::of(other)), 1);
        assert_eq!((companions.basket_count(), companions.product_count()), (0, 0));
    }

    #[test]
    fn long_baskets_are_cut_and_sampled_counts_scaled_up() {
        let limits = CompanionLimits { products_per_basket: 2, ..CompanionLimits::default() };
        let companions = index_of(limits, &[vec![1, 2, 3]]);
        assert_eq!(numbers(&companions.companions(&[product(1)], 10, |_| true)), [2]);
        assert_eq!(companions.product_count(), 2);

        let limits = CompanionLimits { baskets_per_query: 2, ..CompanionLimits::default() };
        let scaled = index_of(limits, &vec![vec![1, 2]; 8]);
        let exact = index_of(CompanionLimits::default(), &vec![vec![1, 2]; 8]);
        let query = |companions: &Companions| companions.companions(&[product(1)], 1, |_| true);
        assert_eq!(query(&scaled), query(&exact));
    }

    proptest! {
        #[test]
        fn scores_equal_a_batch_count_over_the_newest_baskets(
            baskets in prop::collection::vec(prop::collection::vec(0_u128..12, 1..6), 1..60),
            capacity in 1_usize..40,
        ) {
            let limits = CompanionLimits { baskets: capacity, ..CompanionLimits::default() };
            let companions = index_of(limits, &baskets);
            prop_assert_eq!(companions.basket_count(), capacity.min(baskets.len()));
            let newest = &baskets[baskets.len().saturating_sub(capacity)..];
            let mut kept: Vec<u128> = newest.iter().flatten().copied().collect();
            kept.sort_unstable();
            kept.dedup();
            prop_assert_eq!(companions.product_count(), kept.len());
            for one in 0..12 {
                let found = companions.companions(&[product(one)], 100, |_| true);
                let expected = batch_scores(newest, one);
                prop_assert_eq!(found.len(), expected.len());
                for suggestion in found {
                    let score = expected[&suggestion.product.as_u128()];
                    prop_assert!((suggestion.score - score).abs() < 1e-9);
                }
            }
        }
    }
}
