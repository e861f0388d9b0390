//! Bought together: which products share baskets with which.
//!
//! The newest baskets are kept as they are, and per product the list of its baskets; how often two products share a
//! basket is counted from them when asked. So the counts are exact, memory is bounded by the baskets and not by the
//! square of the products, an old basket leaves without a trace, and so does a visitor.
//!
//! The score of two products is the Jaccard index of their baskets: those with both, over those with either. On real
//! invoices it finds more of what was bought than confidence or lift, which favour the common and the rare.

use std::collections::{BTreeSet, HashMap, VecDeque};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::event::VisitorId;
use super::recommendation::{Suggestion, top};
use super::slots::{SlotMap, count, index, place};

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompanionLimits {
    /// Baskets; beyond it the oldest goes.
    pub baskets: usize,
    /// Products that are kept of a basket, the first ones: a longer one is a wholesaler's and says little per pair.
    pub products_per_basket: usize,
    /// The newest baskets of a product from which its pairs are counted; the counts of a product with more are
    /// scaled up.
    pub baskets_per_answer: usize,
}

impl Default for CompanionLimits {
    fn default() -> Self {
        Self { baskets: 200_000, products_per_basket: 60, baskets_per_answer: 5_000 }
    }
}

/// Two products that share `n` baskets keep n/(n + this) of their score: one shared basket of two rare products would
/// otherwise be a perfect pair.
const SHRINKAGE: f64 = 0.5;

/// The most products of a basket that are asked for at once; the latest ones count.
const MAX_ASKED: usize = 60;

/// The most products that a suggestion names as its cause.
const MAX_BECAUSE: usize = 3;

/// The baskets.
#[derive(Debug)]
pub struct Companions {
    limits: CompanionLimits,
    baskets: Vec<Basket>,
    free_baskets: Vec<u32>,
    basket_of: HashMap<Uuid, u32>,
    by_age: BTreeSet<(DateTime<Utc>, u64, u32)>,
    learned: u64,
    items: Vec<Item>,
    free_items: Vec<u32>,
    item_of: HashMap<Uuid, u32>,
}

#[derive(Debug)]
struct Basket {
    id: Uuid,
    at: DateTime<Utc>,
    /// Grows with every basket: orders those of one instant.
    serial: u64,
    /// The visitor who would want it forgotten.
    buyer: Option<VisitorId>,
    items: Vec<u32>,
}

#[derive(Debug)]
struct Item {
    product: Uuid,
    /// In the order in which they were learned.
    baskets: VecDeque<u32>,
}

/// What the asked products say about another one.
#[derive(Default)]
struct Sum {
    score: f64,
    /// The strongest scores and whose they are, strongest first.
    strongest: [Option<(f64, u32)>; MAX_BECAUSE],
}

impl Sum {
    fn add(&mut self, score: f64, item: u32) {
        self.score += score;
        let mut carried = Some((score, item));
        for kept in &mut self.strongest {
            if carried.map(|(score, _)| score) > kept.map(|(score, _)| score) {
                std::mem::swap(kept, &mut carried);
            }
        }
    }

    fn causes(&self) -> impl Iterator<Item = u32> {
        self.strongest.iter().flatten().map(|&(_, item)| item)
    }
}

impl Companions {
    /// No baskets yet.
    pub fn new(limits: CompanionLimits) -> Self {
        Self {
            limits,
            baskets: Vec::new(),
            free_baskets: Vec::new(),
            basket_of: HashMap::new(),
            by_age: BTreeSet::new(),
            learned: 0,
            items: Vec::new(),
            free_items: Vec::new(),
            item_of: HashMap::new(),
        }
    }

    /// How many baskets it holds.
    pub fn baskets(&self) -> usize {
        self.by_age.len()
    }

    /// How many products it holds.
    pub fn products(&self) -> usize {
        self.item_of.len()
    }

    /// Learns what was bought together. A basket that is known already is not learned again. `buyer` is the visitor on
    /// whose word alone the basket is known; heard without one, it is the shop's own and outlives the visitor.
    pub fn learn_basket(
        &mut self,
        basket: Uuid,
        products: &[Uuid],
        at: DateTime<Utc>,
        buyer: Option<&VisitorId>,
    ) {
        if let Some(&known) = self.basket_of.get(&basket) {
            if buyer.is_none() {
                self.baskets[index(known)].buyer = None;
            }
            return;
        }
        if products.is_empty() {
            return;
        }
        self.learned += 1;
        let fresh = Basket {
            id: basket,
            at,
            serial: self.learned,
            buyer: buyer.cloned(),
            items: Vec::new(),
        };
        let slot = place(&mut self.baskets, &mut self.free_baskets, fresh);
        self.basket_of.insert(basket, slot);
        self.by_age.insert((at, self.learned, slot));
        for &product in products {
            let item = self.item_for(product);
            let items = &mut self.baskets[index(slot)].items;
            if items.len() < self.limits.products_per_basket && !items.contains(&item) {
                items.push(item);
                self.items[index(item)].baskets.push_back(slot);
            } else {
                self.drop_unused(item);
            }
        }
        while self.by_age.len() > self.limits.baskets
            && let Some(&(_, _, oldest)) = self.by_age.first()
        {
            self.remove(oldest);
        }
    }

    /// Forgets the baskets that are known from this visitor alone, and says how many there were.
    pub fn forget_visitor(&mut self, visitor: &VisitorId) -> usize {
        let theirs: Vec<u32> = self
            .by_age
            .iter()
            .map(|&(_, _, slot)| slot)
            .filter(|&slot| self.baskets[index(slot)].buyer.as_ref() == Some(visitor))
            .collect();
        for &slot in &theirs {
            self.remove(slot);
        }
        theirs.len()
    }

    /// What is bought together with these products, best first: the sum of the scores with each of them.
    pub fn companions(
        &self,
        products: &[Uuid],
        k: usize,
        keep: impl Fn(Uuid) -> bool,
    ) -> Vec<Suggestion> {
        let mut asked: Vec<u32> = Vec::new();
        for product in products.iter().rev().take(MAX_ASKED) {
            if let Some(&item) = self.item_of.get(product)
                && !asked.contains(&item)
            {
                asked.push(item);
            }
        }
        let mut sums: SlotMap<Sum> = SlotMap::default();
        for &item in &asked {
            for (other, score) in self.pairs(item) {
                sums.entry(other).or_default().add(score, item);
            }
        }
        for item in &asked {
            sums.remove(item);
        }
        let suggestions = sums
            .into_iter()
            .map(|(other, sum)| (self.items[index(other)].product, sum))
            .filter(|&(product, _)| keep(product))
            .map(|(product, sum)| Suggestion {
                product,
                score: sum.score,
                because: sum.causes().map(|item| self.items[index(item)].product).collect(),
            })
            .collect();
        top(suggestions, k)
    }

    /// Every product that shares a basket with this one, and how strongly.
    fn pairs(&self, item: u32) -> impl Iterator<Item = (u32, f64)> {
        let own = &self.items[index(item)].baskets;
        let looked_at = own.len().min(self.limits.baskets_per_answer);
        let mut shared: SlotMap<u32> = SlotMap::default();
        for &basket in own.iter().rev().take(looked_at) {
            for &other in self.baskets[index(basket)].items.iter().filter(|&&other| other != item) {
                *shared.entry(other).or_default() += 1;
            }
        }
        let with_this = f64::from(count(own.len()));
        let scale = with_this / f64::from(count(looked_at));
        shared.into_iter().map(move |(other, shared)| {
            let with_other = f64::from(count(self.items[index(other)].baskets.len()));
            let with_both = (f64::from(shared) * scale).min(with_other);
            let with_either = with_this + with_other - with_both;
            (other, with_both / with_either * (with_both / (with_both + SHRINKAGE)))
        })
    }

    fn item_for(&mut self, product: Uuid) -> u32 {
        if let Some(&item) = self.item_of.get(&product) {
            return item;
        }
        let fresh = Item { product, baskets: VecDeque::new() };
        let item = place(&mut self.items, &mut self.free_items, fresh);
        self.item_of.insert(product, item);
        item
    }

    fn remove(&mut self, slot: u32) {
        let basket = &mut self.baskets[index(slot)];
        self.by_age.remove(&(basket.at, basket.serial, slot));
        self.basket_of.remove(&basket.id);
        basket.buyer = None;
        let items = std::mem::take(&mut basket.items);
        self.free_baskets.push(slot);
        for item in items {
            let baskets = &mut self.items[index(item)].baskets;
            if let Some(position) = baskets.iter().position(|&other| other == slot) {
                baskets.remove(position);
            }
            self.drop_unused(item);
        }
    }

    /// A product without baskets goes.
    fn drop_unused(&mut self, item: u32) {
        let known = &mut self.items[index(item)];
        if known.baskets.is_empty() && self.item_of.remove(&known.product).is_some() {
            known.baskets = VecDeque::new();
            self.free_items.push(item);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn product(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000 + minutes * 60, 0).unwrap()
    }

    fn learned(limits: CompanionLimits, baskets: &[Vec<u128>]) -> Companions {
        let mut companions = Companions::new(limits);
        for (number, basket) in (0_i64..).zip(baskets) {
            let products: Vec<Uuid> = basket.iter().copied().map(product).collect();
            let id = Uuid::from_u128(u128::try_from(number).unwrap());
            companions.learn_basket(id, &products, at(number), None);
        }
        companions
    }

    fn names(suggestions: &[Suggestion]) -> Vec<u128> {
        suggestions.iter().map(|suggestion| suggestion.product.as_u128()).collect()
    }

    /// The same score, from all baskets at once.
    fn batch(baskets: &[Vec<u128>], one: u128) -> BTreeMap<u128, f64> {
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
    fn what_is_bought_together_more_often_comes_first() {
        let baskets = [vec![1, 2], vec![1, 2, 3], vec![1, 3], vec![1, 2], vec![3, 4], vec![3]];
        let companions = learned(CompanionLimits::default(), &baskets);
        let found = companions.companions(&[product(1)], 10, |_| true);
        assert_eq!(names(&found), [2, 3]);
        assert_eq!(found[0].because, [product(1)]);
        assert_eq!(names(&companions.companions(&[product(1)], 1, |_| true)), [2]);
        assert_eq!(names(&companions.companions(&[product(1)], 1, |id| id != product(2))), [3]);
        assert!(companions.companions(&[product(9)], 10, |_| true).is_empty());
        assert!(companions.companions(&[], 10, |_| true).is_empty());
    }

    #[test]
    fn several_products_add_up_and_are_not_suggested_themselves() {
        let baskets = [vec![1, 2, 3], vec![1, 2, 3], vec![1, 4], vec![2, 3]];
        let companions = learned(CompanionLimits::default(), &baskets);
        let found = companions.companions(&[product(1), product(2), product(1)], 10, |_| true);
        assert_eq!(names(&found), [3, 4]);
        assert_eq!(found[0].because, [product(2), product(1)]);
    }

    #[test]
    fn a_basket_counts_once() {
        let mut companions = learned(CompanionLimits::default(), &[vec![1, 2, 2]]);
        let once = companions.companions(&[product(1)], 10, |_| true);
        companions.learn_basket(product(0), &[product(1), product(2)], at(5), None);
        companions.learn_basket(product(0), &[product(1), product(3)], at(5), None);
        assert_eq!(companions.companions(&[product(1)], 10, |_| true), once);
        assert_eq!(companions.baskets(), 1);
    }

    #[test]
    fn a_visitor_takes_along_what_is_known_from_them_alone() {
        let visitor = VisitorId::parse("v").unwrap();
        let mut companions = Companions::new(CompanionLimits::default());
        for id in [1, 2] {
            companions.learn_basket(product(id), &[product(1), product(2)], at(0), Some(&visitor));
        }
        companions.learn_basket(product(2), &[product(1), product(2)], at(0), None);
        assert_eq!(companions.forget_visitor(&visitor), 1);
        assert_eq!(companions.baskets(), 1);
        assert_eq!(companions.forget_visitor(&visitor), 0);
    }

    #[test]
    fn a_long_basket_is_cut_and_counts_are_scaled_from_the_newest() {
        let limits = CompanionLimits { products_per_basket: 2, ..CompanionLimits::default() };
        let companions = learned(limits, &[vec![1, 2, 3]]);
        assert_eq!(names(&companions.companions(&[product(1)], 10, |_| true)), [2]);
        assert_eq!(companions.products(), 2);

        let limits = CompanionLimits { baskets_per_answer: 2, ..CompanionLimits::default() };
        let scaled = learned(limits, &vec![vec![1, 2]; 8]);
        let exact = learned(CompanionLimits::default(), &vec![vec![1, 2]; 8]);
        let ask = |companions: &Companions| companions.companions(&[product(1)], 1, |_| true);
        assert_eq!(ask(&scaled), ask(&exact));
    }

    proptest! {
        /// Learning basket by basket, with the oldest leaving, equals counting the newest baskets at once.
        #[test]
        fn equals_the_batch_over_the_newest_baskets(
            baskets in prop::collection::vec(prop::collection::vec(0_u128..12, 1..6), 1..60),
            capacity in 1_usize..40,
        ) {
            let limits = CompanionLimits { baskets: capacity, ..CompanionLimits::default() };
            let companions = learned(limits, &baskets);
            prop_assert_eq!(companions.baskets(), capacity.min(baskets.len()));
            let newest = &baskets[baskets.len().saturating_sub(capacity)..];
            let mut kept: Vec<u128> = newest.iter().flatten().copied().collect();
            kept.sort_unstable();
            kept.dedup();
            prop_assert_eq!(companions.products(), kept.len());
            for one in 0..12 {
                let found = companions.companions(&[product(one)], 100, |_| true);
                let expected = batch(newest, one);
                prop_assert_eq!(found.len(), expected.len());
                for suggestion in found {
                    let score = expected[&suggestion.product.as_u128()];
                    prop_assert!((suggestion.score - score).abs() < 1e-9);
                }
            }
        }
    }
}
