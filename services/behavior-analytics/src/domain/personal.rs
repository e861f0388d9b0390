//! A list for one visitor, from what this visitor looked at and bought.
//!
//! Three sources are added up, each scaled to 1 at its best product: sessions like the visitor's latest touches,
//! products similar to the very latest ones, and companions of what was bought. Where they give too little, a ladder of
//! demand fills the list: first in the categories that the visitor looked at, then everywhere. So there is always a
//! list, and every product says on which rung it stands.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::companions::Companions;
use super::event::VisitorId;
use super::recommendation::{Reason, ReasonCode, Recommendation, Suggestion};
use super::similar::{Asking, SessionIndex};
use super::slots::count;
use super::trending::{Trend, Trending};

/// What sessions like the visitor's count.
const SESSION_WEIGHT: f64 = 1.0;

/// What companions of the visitor's purchases count.
const COMPANION_WEIGHT: f64 = 0.5;

/// What products similar to the latest ones count.
const SIMILAR_WEIGHT: f64 = 0.3;

/// Of how many of the latest products similar ones are looked up.
const SIMILAR_SEEDS: usize = 3;

/// Of how many of the latest purchases companions are looked up.
const COMPANION_SEEDS: usize = 10;

/// How many products each source gives per product wanted: more than one, so that filters and the category cap leave
/// enough.
const DEPTH: usize = 5;

/// The most products that a reason names.
const MAX_BECAUSE: usize = 3;

/// How much is kept of visitors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VisitorLimits {
    /// Visitors; beyond it the one who was seen longest ago goes.
    pub visitors: usize,
    /// Latest touches per visitor.
    pub touches: usize,
    /// Latest purchases per visitor.
    pub purchases: usize,
}

impl Default for VisitorLimits {
    fn default() -> Self {
        Self { visitors: 200_000, touches: 30, purchases: 200 }
    }
}

/// What is known of one visitor.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    seen: u64,
    touched: VecDeque<Uuid>,
    bought: VecDeque<Uuid>,
}

impl Profile {
    /// The latest products that were looked at or put into the cart, the latest last; one that was touched again
    /// stands there again.
    pub fn touched(&self) -> Vec<Uuid> {
        self.touched.iter().copied().collect()
    }

    /// The latest products that were bought, the latest last.
    pub fn bought(&self) -> Vec<Uuid> {
        self.bought.iter().copied().collect()
    }

    /// Whether the visitor has looked at the product lately or bought it.
    fn knows(&self, product: Uuid) -> bool {
        self.touched.contains(&product) || self.bought.contains(&product)
    }
}

/// The visitors.
#[derive(Debug)]
pub struct Visitors {
    limits: VisitorLimits,
    profiles: HashMap<VisitorId, Profile>,
    by_seen: BTreeMap<u64, VisitorId>,
    seen: u64,
}

impl Visitors {
    /// Nobody yet.
    pub fn new(limits: VisitorLimits) -> Self {
        Self { limits, profiles: HashMap::new(), by_seen: BTreeMap::new(), seen: 0 }
    }

    /// How many visitors are known.
    pub fn visitors(&self) -> usize {
        self.profiles.len()
    }

    /// What is known of a visitor.
    pub fn profile(&self, visitor: &VisitorId) -> Option<&Profile> {
        self.profiles.get(visitor)
    }

    /// Learns that a visitor looked at a product or put it into the cart.
    pub fn touched(&mut self, visitor: &VisitorId, product: Uuid) {
        let limit = self.limits.touches;
        let profile = self.seen(visitor);
        if profile.touched.back() != Some(&product) {
            push_bounded(&mut profile.touched, product, limit);
        }
        self.drop_oldest();
    }

    /// Learns that a visitor bought products.
    pub fn bought(&mut self, visitor: &VisitorId, products: &[Uuid]) {
        let limit = self.limits.purchases;
        let profile = self.seen(visitor);
        for &product in products {
            profile.bought.retain(|&other| other != product);
            push_bounded(&mut profile.bought, product, limit);
        }
        self.drop_oldest();
    }

    /// Forgets a visitor, and says whether there was one.
    pub fn forget(&mut self, visitor: &VisitorId) -> bool {
        let profile = self.profiles.remove(visitor);
        profile.is_some_and(|profile| self.by_seen.remove(&profile.seen).is_some())
    }

    fn seen(&mut self, visitor: &VisitorId) -> &mut Profile {
        self.seen += 1;
        let profile = self.profiles.entry(visitor.clone()).or_default();
        self.by_seen.remove(&profile.seen);
        profile.seen = self.seen;
        self.by_seen.insert(self.seen, visitor.clone());
        profile
    }

    fn drop_oldest(&mut self) {
        while self.profiles.len() > self.limits.visitors
            && let Some((_, oldest)) = self.by_seen.pop_first()
        {
            self.profiles.remove(&oldest);
        }
    }
}

fn push_bounded(products: &mut VecDeque<Uuid>, product: Uuid, limit: usize) {
    products.push_back(product);
    if products.len() > limit {
        products.pop_front();
    }
}

/// What a list is made from.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// The sessions of everyone.
    pub sessions: &'a SessionIndex,
    /// The baskets of everyone.
    pub companions: &'a Companions,
    /// What is in demand.
    pub trending: &'a Trending,
}

/// What a list may show and how it is kept varied: lookups into the catalogue.
pub struct Shelf<'a> {
    /// Whether a product may be shown at all: it is active and in stock.
    pub sells: &'a dyn Fn(Uuid) -> bool,
    /// The category of a product.
    pub category: &'a dyn Fn(Uuid) -> Option<Arc<str>>,
}

/// The `k` products for a visitor, the best first. What the visitor looked at lately or has bought is not among them.
pub fn recommend(
    profile: &Profile,
    sources: Sources<'_>,
    shelf: &Shelf<'_>,
    now: DateTime<Utc>,
    k: usize,
) -> Vec<Recommendation> {
    let fits = |product: Uuid| (shelf.sells)(product) && !profile.knows(product);
    let ranked = blend(profile, sources, &fits, now, k * DEPTH);
    let varied = vary(ranked, shelf.category, k);
    let categories: Vec<Arc<str>> =
        profile.touched.iter().filter_map(|&product| (shelf.category)(product)).collect();
    fill(varied, sources.trending, shelf, &categories, &fits, now, k)
}

/// The three sources added up, the best `depth` of them.
fn blend(
    profile: &Profile,
    sources: Sources<'_>,
    fits: &dyn Fn(Uuid) -> bool,
    now: DateTime<Utc>,
    depth: usize,
) -> Vec<Recommendation> {
    let mut sums = Sums::default();
    let touched = profile.touched();
    let asking = Asking { products: &touched, own: None, revisits: false, now };
    let from_sessions = sources.sessions.recommend_session(asking, depth, fits);
    sums.add(from_sessions, SESSION_WEIGHT, ReasonCode::FromYourVisit);

    let bought = profile.bought();
    let latest_bought = &bought[bought.len().saturating_sub(COMPANION_SEEDS)..];
    let from_baskets = sources.companions.companions(latest_bought, depth, fits);
    sums.add(from_baskets, COMPANION_WEIGHT, ReasonCode::BoughtTogether);

    let mut seeds: Vec<Uuid> = Vec::new();
    for &product in touched.iter().rev() {
        if seeds.len() < SIMILAR_SEEDS && !seeds.contains(&product) {
            seeds.push(product);
        }
    }
    for &seed in &seeds {
        let similar = sources.sessions.similar(seed, now, depth, fits);
        let weight = SIMILAR_WEIGHT / f64::from(count(seeds.len()));
        sums.add(similar, weight, ReasonCode::ViewedTogether);
    }
    sums.ranked(depth)
}

/// Scores from several sources, by product.
#[derive(Default)]
struct Sums(BTreeMap<Uuid, Sum>);

#[derive(Default)]
struct Sum {
    score: f64,
    strongest: f64,
    code: Option<ReasonCode>,
    because: Vec<Uuid>,
}

impl Sums {
    fn add(&mut self, suggestions: Vec<Suggestion>, weight: f64, code: ReasonCode) {
        let best = suggestions.first().map_or(1.0, |best| best.score).max(f64::MIN_POSITIVE);
        for suggestion in suggestions {
            let score = weight * suggestion.score / best;
            let sum = self.0.entry(suggestion.product).or_default();
            sum.score += score;
            if sum.code.is_none() || score > sum.strongest {
                sum.strongest = score;
                sum.code = Some(code);
                sum.because = suggestion.because;
                sum.because.truncate(MAX_BECAUSE);
            }
        }
    }

    fn ranked(self, depth: usize) -> Vec<Recommendation> {
        let mut ranked: Vec<Recommendation> = self
            .0
            .into_iter()
            .filter_map(|(product, sum)| {
                let reason = Reason { code: sum.code?, because: sum.because };
                Some(Recommendation { product, score: sum.score, reason })
            })
            .collect();
        // The sort is stable and the map was ordered, so equals stand in the order of their ids.
        ranked.sort_by(|a, b| b.score.total_cmp(&a.score));
        ranked.truncate(depth);
        ranked
    }
}

/// Keeps the best `k`, moving back what would give one category more than half of the list while others wait.
fn vary(
    ranked: Vec<Recommendation>,
    category: &dyn Fn(Uuid) -> Option<Arc<str>>,
    k: usize,
) -> Vec<Recommendation> {
    let cap = k.div_ceil(2);
    let mut taken: HashMap<Arc<str>, usize> = HashMap::new();
    let (mut list, mut moved_back) = (Vec::new(), Vec::new());
    for recommendation in ranked {
        let in_category =
            category(recommendation.product).map(|name| taken.entry(name).or_default());
        match in_category {
            Some(count) if *count >= cap => moved_back.push(recommendation),
            Some(count) => {
                *count += 1;
                list.push(recommendation);
            }
            None => list.push(recommendation),
        }
    }
    list.append(&mut moved_back);
    list.truncate(k);
    let mut ceiling = f64::INFINITY;
    for recommendation in &mut list {
        ceiling = ceiling.min(recommendation.score);
        recommendation.score = ceiling;
    }
    list
}

/// Fills a list up to `k` with what is in demand: in the given categories first, then everywhere. The scores go on
/// falling from the last one of the list.
pub fn fill(
    mut list: Vec<Recommendation>,
    trending: &Trending,
    shelf: &Shelf<'_>,
    categories: &[Arc<str>],
    fits: &dyn Fn(Uuid) -> bool,
    now: DateTime<Utc>,
    k: usize,
) -> Vec<Recommendation> {
    let in_categories = |product: Uuid| {
        (shelf.category)(product).is_some_and(|category| categories.contains(&category))
    };
    if list.len() < k && !categories.is_empty() {
        let is_new = |product: Uuid| !list.iter().any(|known| known.product == product);
        let wanted = |product: Uuid| in_categories(product) && fits(product) && is_new(product);
        let trends = trending.top(now, k - list.len(), wanted);
        append(&mut list, &trends, ReasonCode::TrendingInCategory);
    }
    if list.len() < k {
        let is_new = |product: Uuid| !list.iter().any(|known| known.product == product);
        let trends = trending.top(now, k - list.len(), |product| fits(product) && is_new(product));
        append(&mut list, &trends, ReasonCode::Trending);
    }
    list
}

fn append(list: &mut Vec<Recommendation>, trends: &[Trend], code: ReasonCode) {
    let ceiling = list.last().map_or(1.0, |last| last.score);
    let most = trends.first().map_or(1.0, |first| first.count).max(f64::MIN_POSITIVE);
    list.extend(trends.iter().map(|trend| Recommendation {
        product: trend.product,
        score: ceiling * (trend.count / most),
        reason: Reason { code, because: Vec::new() },
    }));
}

#[cfg(test)]
mod tests {
    use super::super::companions::CompanionLimits;
    use super::super::event::{SessionId, SessionKey};
    use super::super::similar::{SessionIndexLimits, SessionScoring};
    use super::*;

    struct Shop {
        sessions: SessionIndex,
        companions: Companions,
        trending: Trending,
    }

    fn product(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000, 0).unwrap()
    }

    impl Shop {
        /// Sessions and baskets as given; every product is in demand, the smaller its number the less.
        fn new(sessions: &[&[u128]], baskets: &[&[u128]], products: u32) -> Self {
            let mut index =
                SessionIndex::new(SessionIndexLimits::default(), SessionScoring::default());
            for (number, products) in sessions.iter().enumerate() {
                let key = SessionKey {
                    visitor: VisitorId::parse(&format!("v{number}")).unwrap(),
                    session: SessionId::parse("s").unwrap(),
                };
                for &seen in *products {
                    index.learn(&key, product(seen), now());
                }
            }
            let mut companions = Companions::new(CompanionLimits::default());
            for (id, basket) in (0_u128..).zip(baskets) {
                let products: Vec<Uuid> = basket.iter().copied().map(product).collect();
                companions.learn_basket(product(id), &products, now(), None);
            }
            let mut trending = Trending::new(chrono::TimeDelta::days(1), 1_000);
            for number in 1..=products {
                trending.count(product(number.into()), f64::from(number), now());
            }
            Self { sessions: index, companions, trending }
        }

        /// Products 1 to 9 are in category 0, 10 to 19 in category 1, and so on.
        fn recommend(
            &self,
            profile: &Profile,
            sells: &dyn Fn(Uuid) -> bool,
            k: usize,
        ) -> Vec<Recommendation> {
            let category = |id: Uuid| Some(Arc::from(format!("c/{}", id.as_u128() / 10)));
            let sources = Sources {
                sessions: &self.sessions,
                companions: &self.companions,
                trending: &self.trending,
            };
            recommend(profile, sources, &Shelf { sells, category: &category }, now(), k)
        }
    }

    fn profile(touched: &[u128], bought: &[u128]) -> Profile {
        Profile {
            seen: 0,
            touched: touched.iter().copied().map(product).collect(),
            bought: bought.iter().copied().map(product).collect(),
        }
    }

    fn reasons(list: &[Recommendation]) -> Vec<(u128, ReasonCode)> {
        list.iter().map(|item| (item.product.as_u128(), item.reason.code)).collect()
    }

    #[test]
    fn a_list_is_filled_rung_by_rung_and_says_so() {
        let shop = Shop::new(&[&[1, 2], &[1, 2], &[30, 31]], &[&[40, 41]], 60);
        let list = shop.recommend(&profile(&[1], &[40]), &|_| true, 20);
        let reasons = reasons(&list);
        assert_eq!(reasons[0], (2, ReasonCode::FromYourVisit));
        assert_eq!(list[0].reason.because, [product(1)]);
        assert_eq!(reasons[1], (41, ReasonCode::BoughtTogether));
        assert_eq!(list[1].reason.because, [product(40)]);
        let rest: Vec<_> = (3..10).rev().map(|id| (id, ReasonCode::TrendingInCategory)).collect();
        assert_eq!(reasons[2..9], rest);
        assert_eq!(reasons[9], (60, ReasonCode::Trending));
        assert_eq!(list.len(), 20);
        assert!(list.windows(2).all(|pair| pair[0].score >= pair[1].score));
    }

    #[test]
    fn a_stranger_gets_what_is_in_demand() {
        let shop = Shop::new(&[], &[], 5);
        let list = shop.recommend(&Profile::default(), &|_| true, 3);
        let expected = [5, 4, 3].map(|id| (id, ReasonCode::Trending));
        assert_eq!(reasons(&list), expected);
        assert!(shop.recommend(&Profile::default(), &|_| true, 0).is_empty());
    }

    #[test]
    fn what_is_not_sold_or_known_already_is_left_out_everywhere() {
        let sessions: [&[u128]; 2] = [&[1, 2, 3, 4], &[1, 4]];
        let shop = Shop::new(&sessions, &[&[1, 3], &[1, 4]], 6);
        let sells = |id: Uuid| id != product(4) && id != product(6);
        let list = shop.recommend(&profile(&[1, 2], &[3]), &sells, 10);
        assert_eq!(reasons(&list), [(5, ReasonCode::TrendingInCategory)]);
    }

    #[test]
    fn one_category_does_not_fill_the_list_while_others_wait() {
        let sessions: [&[u128]; 3] = [&[1, 2, 3, 4, 5, 6], &[1, 2, 3, 4, 5, 6], &[1, 20]];
        let shop = Shop::new(&sessions, &[], 1);
        let list = shop.recommend(&profile(&[1], &[]), &|_| true, 4);
        let categories: Vec<u128> = list.iter().map(|item| item.product.as_u128() / 10).collect();
        assert_eq!(categories.iter().filter(|&&category| category == 0).count(), 3);
        assert!(categories[..3].contains(&2));
        assert!(list.windows(2).all(|pair| pair[0].score >= pair[1].score));
    }

    #[test]
    fn profiles_are_bounded_and_a_forgotten_one_is_gone() {
        let limits = VisitorLimits { visitors: 2, touches: 3, purchases: 2 };
        let mut visitors = Visitors::new(limits);
        let visitor = |name: &str| VisitorId::parse(name).unwrap();
        for number in 1..=5 {
            visitors.touched(&visitor("a"), product(number));
            visitors.touched(&visitor("a"), product(number));
        }
        visitors.bought(&visitor("a"), &[product(1), product(2), product(3), product(2)]);
        let known = visitors.profile(&visitor("a")).unwrap();
        assert_eq!(known.touched(), [3, 4, 5].map(product));
        assert_eq!(known.bought(), [3, 2].map(product));
        visitors.touched(&visitor("b"), product(1));
        visitors.touched(&visitor("a"), product(9));
        visitors.touched(&visitor("c"), product(1));
        assert_eq!(visitors.visitors(), 2);
        assert!(visitors.profile(&visitor("b")).is_none());
        assert!(visitors.forget(&visitor("a")));
        assert!(!visitors.forget(&visitor("a")));
        assert_eq!(visitors.by_seen.len(), visitors.visitors());
    }
}
