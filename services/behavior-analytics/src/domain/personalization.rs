//! A list for one visitor, from the visitor's interactions and purchases.
//!
//! Three sources are added up, each scaled to 1 at its best product: sessions similar to the latest
//! interactions, products similar to the very latest ones, and companions of purchases. If they give too few
//! products, products in demand fill the list: first from the visitor's categories, then from all. The reason
//! of each product names its source.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    companions::Companions,
    fallback::{CatalogView, fill_with_trending},
    profiles::Profile,
    recommendation::{Reason, ReasonCode, Recommendation, Suggestion},
    session_index::{SessionIndex, SessionQuery},
    slots::count,
    trending::Trending,
};

/// The weight of products from similar sessions.
const SESSION_WEIGHT: f64 = 1.0;

/// The weight of companions of the visitor's purchases.
const COMPANION_WEIGHT: f64 = 0.5;

/// The weight of products similar to the latest ones.
const SIMILAR_WEIGHT: f64 = 0.3;

/// How many of the latest products are looked up for similar ones.
const SIMILAR_SEEDS: usize = 3;

/// How many of the latest purchases are looked up for companions.
const COMPANION_SEEDS: usize = 10;

/// How many products each source returns per product of the list, so that enough remain after filtering and
/// diversification.
const OVERFETCH: usize = 5;

/// The most products that a reason names.
const MAX_BECAUSE: usize = 3;

/// The sources of a list.
#[derive(Clone, Copy)]
pub(crate) struct Sources<'a> {
    pub(crate) sessions: &'a SessionIndex,
    pub(crate) companions: &'a Companions,
    pub(crate) trending: &'a Trending,
}

/// The `limit` best products for a visitor, best first, without the products of the visitor's profile.
pub(crate) fn recommend(
    profile: &Profile,
    sources: Sources<'_>,
    catalog: &CatalogView<'_>,
    now: DateTime<Utc>,
    limit: usize,
) -> Vec<Recommendation> {
    let filter = |product: Uuid| (catalog.is_available)(product) && !profile.contains(product);
    let ranked = blend(profile, sources, &filter, now, limit * OVERFETCH);
    let list = diversify(ranked, catalog.category, limit);
    let categories: Vec<Arc<str>> = profile
        .interactions()
        .into_iter()
        .filter_map(|product| (catalog.category)(product))
        .collect();
    fill_with_trending(list, sources.trending, catalog, &categories, &filter, now, limit)
}

/// The `depth` products with the highest sums of scores from the three sources.
fn blend(
    profile: &Profile,
    sources: Sources<'_>,
    filter: &dyn Fn(Uuid) -> bool,
    now: DateTime<Utc>,
    depth: usize,
) -> Vec<Recommendation> {
    let mut scores = BlendedScores::default();
    let interactions = profile.interactions();
    let query = SessionQuery { products: &interactions, own: None, revisits: false, now };
    let from_sessions = sources.sessions.recommend_session(query, depth, filter);
    scores.add(from_sessions, SESSION_WEIGHT, ReasonCode::FromYourVisit);

    let purchases = profile.purchases();
    let latest_purchases = &purchases[purchases.len().saturating_sub(COMPANION_SEEDS)..];
    let from_baskets = sources.companions.companions(latest_purchases, depth, filter);
    scores.add(from_baskets, COMPANION_WEIGHT, ReasonCode::BoughtTogether);

    let mut seeds: Vec<Uuid> = Vec::new();
    for &product in interactions.iter().rev() {
        if seeds.len() < SIMILAR_SEEDS && !seeds.contains(&product) {
            seeds.push(product);
        }
    }
    for &seed in &seeds {
        let similar = sources.sessions.similar(seed, now, depth, filter);
        let weight = SIMILAR_WEIGHT / f64::from(count(seeds.len()));
        scores.add(similar, weight, ReasonCode::ViewedTogether);
    }
    scores.ranked(depth)
}

/// Sums of scores from several sources, by product.
#[derive(Default)]
struct BlendedScores(BTreeMap<Uuid, BlendedScore>);

#[derive(Default)]
struct BlendedScore {
    sum: f64,
    /// The largest summand, whose reason the product gets.
    strongest: f64,
    code: Option<ReasonCode>,
    because: Vec<Uuid>,
}

impl BlendedScores {
    /// Adds a source's suggestions, scaled to `weight` at the best one.
    fn add(&mut self, suggestions: Vec<Suggestion>, weight: f64, code: ReasonCode) {
        let best = suggestions.first().map_or(1.0, |best| best.score).max(f64::MIN_POSITIVE);
        for suggestion in suggestions {
            let score = weight * suggestion.score / best;
            let blended = self.0.entry(suggestion.product).or_default();
            blended.sum += score;
            if blended.code.is_none() || score > blended.strongest {
                blended.strongest = score;
                blended.code = Some(code);
                blended.because = suggestion.because;
                blended.because.truncate(MAX_BECAUSE);
            }
        }
    }

    fn ranked(self, depth: usize) -> Vec<Recommendation> {
        let mut ranked: Vec<Recommendation> = self
            .0
            .into_iter()
            .filter_map(|(product, blended)| {
                let reason = Reason { code: blended.code?, because: blended.because };
                Some(Recommendation { product, score: blended.sum, reason })
            })
            .collect();
        // The map is ordered and the sort is stable, so equal scores are sorted by id.
        ranked.sort_by(|a, b| b.score.total_cmp(&a.score));
        ranked.truncate(depth);
        ranked
    }
}

/// Returns the `limit` best products. A category may fill at most half of the list as long as other
/// categories have products; its further products move to the end.
fn diversify(
    ranked: Vec<Recommendation>,
    category: &dyn Fn(Uuid) -> Option<Arc<str>>,
    limit: usize,
) -> Vec<Recommendation> {
    let max_per_category = limit.div_ceil(2);
    let mut counts: HashMap<Arc<str>, usize> = HashMap::new();
    let (mut list, mut moved_back) = (Vec::new(), Vec::new());
    for recommendation in ranked {
        let in_category =
            category(recommendation.product).map(|name| counts.entry(name).or_default());
        match in_category {
            Some(count) if *count >= max_per_category => moved_back.push(recommendation),
            Some(count) => {
                *count += 1;
                list.push(recommendation);
            }
            None => list.push(recommendation),
        }
    }
    list.append(&mut moved_back);
    list.truncate(limit);
    let mut ceiling = f64::INFINITY;
    for recommendation in &mut list {
        ceiling = ceiling.min(recommendation.score);
        recommendation.score = ceiling;
    }
    list
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            companions::CompanionLimits,
            identity::{SessionId, SessionKey, VisitorId},
            session_index::{SessionIndexLimits, SessionScoring},
        },
        *,
    };

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
        /// A shop with the given sessions and baskets. Every product is in demand, more so the larger its
        /// number.
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
                companions.learn_basket(product(id), &products, now(), Uuid::nil().into());
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
            is_available: &dyn Fn(Uuid) -> bool,
            limit: usize,
        ) -> Vec<Recommendation> {
            let category = |id: Uuid| Some(Arc::from(format!("c/{}", id.as_u128() / 10)));
            let sources = Sources {
                sessions: &self.sessions,
                companions: &self.companions,
                trending: &self.trending,
            };
            let catalog = CatalogView { is_available, category: &category };
            recommend(profile, sources, &catalog, now(), limit)
        }
    }

    fn profile(interactions: &[u128], purchases: &[u128]) -> Profile {
        let products =
            |numbers: &[u128]| -> Vec<Uuid> { numbers.iter().copied().map(product).collect() };
        Profile::new(&products(interactions), &products(purchases))
    }

    fn reasons(list: &[Recommendation]) -> Vec<(u128, ReasonCode)> {
        list.iter().map(|item| (item.product.as_u128(), item.reason.code)).collect()
    }

    #[test]
    fn a_list_is_filled_source_by_source_with_reasons() {
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
    fn an_unknown_visitor_gets_products_in_demand() {
        let shop = Shop::new(&[], &[], 5);
        let list = shop.recommend(&Profile::default(), &|_| true, 3);
        let expected = [5, 4, 3].map(|id| (id, ReasonCode::Trending));
        assert_eq!(reasons(&list), expected);
        assert!(shop.recommend(&Profile::default(), &|_| true, 0).is_empty());
    }

    #[test]
    fn unavailable_and_known_products_are_never_listed() {
        let sessions: [&[u128]; 2] = [&[1, 2, 3, 4], &[1, 4]];
        let shop = Shop::new(&sessions, &[&[1, 3], &[1, 4]], 6);
        let is_available = |id: Uuid| id != product(4) && id != product(6);
        let list = shop.recommend(&profile(&[1, 2], &[3]), &is_available, 10);
        assert_eq!(reasons(&list), [(5, ReasonCode::TrendingInCategory)]);
    }

    #[test]
    fn one_category_fills_at_most_half_before_others() {
        let sessions: [&[u128]; 3] = [&[1, 2, 3, 4, 5, 6], &[1, 2, 3, 4, 5, 6], &[1, 20]];
        let shop = Shop::new(&sessions, &[], 1);
        let list = shop.recommend(&profile(&[1], &[]), &|_| true, 4);
        let categories: Vec<u128> = list.iter().map(|item| item.product.as_u128() / 10).collect();
        assert_eq!(categories.iter().filter(|&&category| category == 0).count(), 3);
        assert!(categories[..3].contains(&2));
        assert!(list.windows(2).all(|pair| pair[0].score >= pair[1].score));
    }
}
