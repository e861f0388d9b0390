//! Everything that this service has learned, in one place: feed it events, ask it questions.
//!
//! The same events in the same order give the same answers, to the last bit, so a model that is rebuilt from the log
//! is the model that was lost. Events are taken as they come; that an event comes once is the log's concern.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::companions::{CompanionLimits, Companions};
use super::event::{Event, EventKind, SessionKey, VisitorId};
use super::funnel::Funnel;
use super::personal::{self, Profile, Shelf, Sources, VisitorLimits, Visitors};
use super::recommendation::{ReasonCode, Recommendation, Suggestion};
use super::sessions::{SessionLimits, SessionStatistics, Sessions};
use super::similar::{Asking, SessionIndex, SessionIndexLimits, SessionScoring};
use super::trending::{Trend, Trending, demand};

/// The longest list that is answered; more is cut to it.
pub const MAX_LIST: usize = 100;

/// How much a model may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelLimits {
    /// Of the session index.
    pub index: SessionIndexLimits,
    /// Of the visits.
    pub sessions: SessionLimits,
    /// Of the baskets.
    pub companions: CompanionLimits,
    /// Of the visitors.
    pub visitors: VisitorLimits,
    /// Products in demand, per window.
    pub trending: usize,
}

impl Default for ModelLimits {
    fn default() -> Self {
        Self {
            index: SessionIndexLimits::default(),
            sessions: SessionLimits::default(),
            companions: CompanionLimits::default(),
            visitors: VisitorLimits::default(),
            trending: 50_000,
        }
    }
}

/// Over how long demand is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// A half-life of half an hour: what is rising now.
    Now,
    /// A half-life of a day: what sells.
    Day,
}

impl Window {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Now => "now",
            Self::Day => "day",
        }
    }

    const fn half_life(self) -> TimeDelta {
        match self {
            Self::Now => TimeDelta::minutes(30),
            Self::Day => TimeDelta::days(1),
        }
    }
}

/// What the recommender has to know of a product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductFacts {
    /// Which.
    pub id: Uuid,
    /// The path of its category, as `a/b/c`.
    pub category: Arc<str>,
    /// Whether any of its variants can be bought now.
    pub in_stock: bool,
    /// Whether it is shown at all.
    pub active: bool,
}

/// What was forgotten of a visitor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Visits, open and closed.
    pub visits: usize,
    /// Sessions in the index of similar products.
    pub indexed_sessions: usize,
    /// Baskets that were known from the visitor alone.
    pub baskets: usize,
    /// Whether there was a profile.
    pub profile: bool,
}

/// How much a model holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Products of the catalogue.
    pub products: usize,
    /// Sessions in the index of similar products.
    pub indexed_sessions: usize,
    /// Products in that index.
    pub indexed_products: usize,
    /// Visits that may still change.
    pub open_visits: usize,
    /// Closed visits.
    pub closed_visits: usize,
    /// Baskets.
    pub baskets: usize,
    /// Visitors with a profile.
    pub visitors: usize,
    /// Products in demand, of the longer window.
    pub trending: usize,
}

/// Everything that was learned.
#[derive(Debug)]
pub struct Model {
    products: HashMap<Uuid, ProductFacts>,
    now: Trending,
    day: Trending,
    sessions: Sessions,
    index: SessionIndex,
    companions: Companions,
    visitors: Visitors,
}

impl Model {
    /// Knows nothing yet.
    pub fn new(limits: ModelLimits) -> Self {
        Self {
            products: HashMap::new(),
            now: Trending::new(Window::Now.half_life(), limits.trending),
            day: Trending::new(Window::Day.half_life(), limits.trending),
            sessions: Sessions::new(limits.sessions),
            index: SessionIndex::new(limits.index, SessionScoring::default()),
            companions: Companions::new(limits.companions),
            visitors: Visitors::new(limits.visitors),
        }
    }

    /// Learns from one event.
    pub fn apply(&mut self, event: &Event) {
        self.sessions.apply(event);
        if let Some(weight) = demand(event.kind) {
            for product in event.products() {
                self.now.count(product, weight, event.occurred_at);
                self.day.count(product, weight, event.occurred_at);
            }
        }
        match event.kind {
            EventKind::ProductViewed | EventKind::ProductClicked | EventKind::CartAdded => {
                if let Some(product) = event.product_id {
                    self.index.learn(&event.session_key(), product, event.occurred_at);
                    self.visitors.touched(&event.visitor_id, product);
                }
            }
            EventKind::OrderCompleted => {
                let (products, visitor) = (event.products(), &event.visitor_id);
                let (basket, at) = (event.basket_id(), event.occurred_at);
                self.companions.learn_basket(basket, &products, at, Some(visitor));
                self.visitors.bought(visitor, &products);
            }
            EventKind::ListViewed
            | EventKind::Searched
            | EventKind::CartRemoved
            | EventKind::CheckoutStarted => {}
        }
    }

    /// Learns what an order of the order service was made of. The same order twice, or told by a visitor's event too,
    /// is one basket.
    pub fn learn_basket(&mut self, order: Uuid, products: &[Uuid], at: DateTime<Utc>) {
        self.companions.learn_basket(order, products, at, None);
    }

    /// Takes what is now true of a product. As many are held as the catalogue has.
    pub fn apply_product(&mut self, facts: ProductFacts) {
        self.products.insert(facts.id, facts);
    }

    /// Takes a product out of the catalogue: nobody is shown it any more.
    pub fn remove_product(&mut self, product: Uuid) {
        self.products.remove(&product);
    }

    /// What is known of a product.
    pub fn product(&self, product: Uuid) -> Option<&ProductFacts> {
        self.products.get(&product)
    }

    /// Forgets a visitor: every visit, session, profile, and the baskets known from them alone. What stays are the
    /// counts of demand, which name nobody and fade within days.
    pub fn forget_visitor(&mut self, visitor: &VisitorId) -> Forgotten {
        Forgotten {
            visits: self.sessions.forget_visitor(visitor),
            indexed_sessions: self.index.forget_visitor(visitor),
            baskets: self.companions.forget_visitor(visitor),
            profile: self.visitors.forget(visitor),
        }
    }

    /// How much is held.
    pub fn sizes(&self) -> Sizes {
        Sizes {
            products: self.products.len(),
            indexed_sessions: self.index.sessions(),
            indexed_products: self.index.products(),
            open_visits: self.sessions.open(),
            closed_visits: self.sessions.closed(),
            baskets: self.companions.baskets(),
            visitors: self.visitors.visitors(),
            trending: self.day.products(),
        }
    }

    /// The products most in demand, of one category and those below it where one is given.
    pub fn trending(
        &self,
        window: Window,
        category: Option<&str>,
        now: DateTime<Utc>,
        k: usize,
    ) -> Vec<Trend> {
        let trending = match window {
            Window::Now => &self.now,
            Window::Day => &self.day,
        };
        let belongs = |facts: &ProductFacts| {
            category.is_none_or(|category| is_within(&facts.category, category))
        };
        let wanted =
            |product: Uuid| self.sells(product) && self.products.get(&product).is_some_and(belongs);
        trending.top(now, k.min(MAX_LIST), wanted)
    }

    /// Products like this one: those that were seen in the same sessions, then what is in demand in its category.
    pub fn similar(&self, product: Uuid, now: DateTime<Utc>, k: usize) -> Vec<Recommendation> {
        let k = k.min(MAX_LIST);
        let fits = |other: Uuid| other != product && self.sells(other);
        let similar = self.index.similar(product, now, k, fits);
        let list = with_reason(similar, ReasonCode::ViewedTogether);
        let categories: Vec<Arc<str>> = self.category(product).into_iter().collect();
        if categories.is_empty() {
            return list;
        }
        self.with_shelf(|shelf| {
            let is_like =
                |other: Uuid| fits(other) && self.category(other) == self.category(product);
            personal::fill(list, &self.day, shelf, &categories, &is_like, now, k)
        })
    }

    /// What is bought together with these products; nothing where nothing is known, for a guess would be no companion.
    pub fn companions(&self, products: &[Uuid], k: usize) -> Vec<Recommendation> {
        let sells = |product: Uuid| self.sells(product);
        let companions = self.companions.companions(products, k.min(MAX_LIST), sells);
        with_reason(companions, ReasonCode::BoughtTogether)
    }

    /// What fits a visit; where its products are not known enough, what is in demand, first in their categories.
    pub fn for_session(&self, asking: Asking<'_>, k: usize) -> Vec<Recommendation> {
        let (products, now, k) = (asking.products, asking.now, k.min(MAX_LIST));
        let is_open = |product: Uuid| !products.contains(&product) && self.sells(product);
        let found = self.index.recommend_session(asking, k, |product| self.sells(product));
        let list = with_reason(found, ReasonCode::ViewedTogether);
        let categories: Vec<Arc<str>> =
            products.iter().rev().take(MAX_LIST).filter_map(|&seen| self.category(seen)).collect();
        self.with_shelf(|shelf| {
            personal::fill(list, &self.day, shelf, &categories, &is_open, now, k)
        })
    }

    /// A list for a visitor, known or not.
    pub fn for_visitor(
        &self,
        visitor: &VisitorId,
        now: DateTime<Utc>,
        k: usize,
    ) -> Vec<Recommendation> {
        let unknown = Profile::default();
        let profile = self.visitors.profile(visitor).unwrap_or(&unknown);
        let sources =
            Sources { sessions: &self.index, companions: &self.companions, trending: &self.day };
        self.with_shelf(|shelf| personal::recommend(profile, sources, shelf, now, k.min(MAX_LIST)))
    }

    /// The products of a session's latest visit, in the order of their touches.
    pub fn session_products(&self, key: &SessionKey) -> Vec<Uuid> {
        let touches = self.sessions.touches(key).iter();
        touches
            .filter(|touch| demand(touch.kind).is_some())
            .filter_map(|touch| touch.product)
            .collect()
    }

    /// Numbers over the visits that started at or after `from` and before `to`.
    pub fn session_statistics(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> SessionStatistics {
        self.sessions.statistics(from, to, now)
    }

    /// The funnel over the visits that started at or after `from` and before `to`.
    pub fn funnel(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Funnel {
        self.sessions.funnel(from, to)
    }

    fn sells(&self, product: Uuid) -> bool {
        self.products.get(&product).is_some_and(|facts| facts.active && facts.in_stock)
    }

    fn category(&self, product: Uuid) -> Option<Arc<str>> {
        self.products.get(&product).map(|facts| Arc::clone(&facts.category))
    }

    fn with_shelf<T>(&self, answer: impl FnOnce(&Shelf<'_>) -> T) -> T {
        answer(&Shelf {
            sells: &|product| self.sells(product),
            category: &|product| self.category(product),
        })
    }
}

/// Whether a category is another one or lies below it.
fn is_within(category: &str, ancestor: &str) -> bool {
    category
        .strip_prefix(ancestor.trim_end_matches('/'))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn with_reason(suggestions: Vec<Suggestion>, code: ReasonCode) -> Vec<Recommendation> {
    suggestions.into_iter().map(|suggestion| suggestion.with_reason(code)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, json};

    use super::super::event::SessionId;
    use super::*;

    const PRODUCTS: u128 = 40;

    fn product(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000 + minutes * 60, 0).unwrap()
    }

    fn visitor(name: &str) -> VisitorId {
        VisitorId::parse(name).unwrap()
    }

    fn event(id: u128, name: &str, kind: EventKind, number: u128, minutes: i64) -> Event {
        Event {
            event_id: Uuid::from_u128(id),
            kind,
            visitor_id: visitor(name),
            session_id: SessionId::parse("s").unwrap(),
            product_id: Some(product(number)),
            occurred_at: at(minutes),
            properties: Map::new(),
        }
    }

    fn facts(number: u128) -> ProductFacts {
        ProductFacts {
            id: product(number),
            category: format!("shop/{}", number / 10).into(),
            in_stock: true,
            active: true,
        }
    }

    fn asking<'a>(
        products: &'a [Uuid],
        own: Option<&'a SessionKey>,
        now: DateTime<Utc>,
    ) -> Asking<'a> {
        Asking { products, own, revisits: true, now }
    }

    fn with_catalogue(limits: ModelLimits) -> Model {
        let mut model = Model::new(limits);
        for number in 0..PRODUCTS {
            model.apply_product(facts(number));
        }
        model
    }

    fn learned(limits: ModelLimits, events: &[Event]) -> Model {
        let mut model = with_catalogue(limits);
        for event in events {
            model.apply(event);
        }
        model
    }

    /// Everything that can be asked, as text: what differs in one bit differs here.
    fn answers(model: &Model, visitors: u8) -> String {
        let now = at(2_000);
        let mut answers = Vec::new();
        for number in 0..PRODUCTS {
            let pair = [product(number), product((number + 7) % PRODUCTS)];
            answers.push(format!("{:?}", model.similar(product(number), now, 10)));
            answers.push(format!("{:?}", model.companions(&pair, 10)));
            answers.push(format!("{:?}", model.for_session(asking(&pair, None, now), 10)));
        }
        for name in 0..visitors {
            answers
                .push(format!("{:?}", model.for_visitor(&visitor(&format!("v{name}")), now, 10)));
        }
        for window in [Window::Now, Window::Day] {
            answers.push(format!("{:?}", model.trending(window, None, now, 50)));
            answers.push(format!("{:?}", model.trending(window, Some("shop/1"), now, 50)));
        }
        answers.push(format!("{:?}", model.session_statistics(at(0), now, now)));
        answers.push(format!("{:?}", model.funnel(at(0), now)));
        answers.push(format!("{:?}", model.sizes()));
        answers.join("\n")
    }

    #[test]
    fn every_part_learns_from_one_purchase() {
        use EventKind::{CartAdded, CheckoutStarted, OrderCompleted, ProductViewed};
        let mut events = vec![
            event(1, "a", ProductViewed, 1, 0),
            event(2, "a", ProductViewed, 2, 1),
            event(3, "a", CartAdded, 2, 2),
            event(4, "a", CheckoutStarted, 2, 3),
            event(5, "a", OrderCompleted, 2, 4),
        ];
        events[4].properties.insert("product_ids".into(), json!([product(2), product(3)]));
        let model = learned(ModelLimits::default(), &events);
        let key = events[0].session_key();
        let now = at(5);

        let codes = |list: &[Recommendation]| -> Vec<(u128, &str)> {
            list.iter().map(|item| (item.product.as_u128(), item.reason.code.as_str())).collect()
        };
        let in_category = (3, "trending_in_category");
        assert_eq!(
            codes(&model.similar(product(1), now, 2)),
            [(2, "viewed_together"), in_category]
        );
        assert_eq!(codes(&model.companions(&[product(3)], 5)), [(2, "bought_together")]);
        assert_eq!(
            codes(&model.for_session(asking(&[product(2)], None, now), 1)),
            [(1, "viewed_together")]
        );
        let own = model.for_session(asking(&[product(2)], Some(&key), now), 5);
        assert_eq!(codes(&own), [in_category, (1, "trending_in_category")]);
        assert_eq!(codes(&model.for_visitor(&visitor("a"), now, 5)), [(0_u128, ""); 0]);
        assert_eq!(model.session_products(&key), [1, 2, 2, 2].map(product));
        let trends = model.trending(Window::Now, Some("shop"), now, 5);
        assert_eq!(
            trends.iter().map(|trend| trend.product).collect::<Vec<_>>(),
            [2, 3, 1].map(product)
        );
        assert_eq!(model.funnel(at(0), now).steps.map(|step| step.sessions), [1; 4]);
        assert_eq!(model.session_statistics(at(0), now, now).events, 5);
    }

    #[test]
    fn an_order_told_by_the_visitor_and_by_the_order_service_is_one_basket() {
        let mut told = event(1, "a", EventKind::OrderCompleted, 1, 0);
        told.properties.insert("order_id".into(), json!(product(77)));
        told.properties.insert("product_ids".into(), json!([product(1), product(2)]));
        let mut model = learned(ModelLimits::default(), &[told]);
        model.learn_basket(product(77), &[product(1), product(2)], at(1));
        assert_eq!(model.sizes().baskets, 1);
        model.forget_visitor(&visitor("a"));
        assert_eq!(model.companions(&[product(1)], 5).len(), 1);
    }

    #[test]
    fn only_what_is_active_and_in_stock_is_shown() {
        let events =
            [1, 2, 3, 4, 99].map(|number| event(number, "a", EventKind::ProductViewed, number, 0));
        let mut model = learned(ModelLimits::default(), &events);
        model.apply_product(ProductFacts { in_stock: false, ..facts(2) });
        model.apply_product(ProductFacts { active: false, ..facts(3) });
        let shown = |model: &Model| -> Vec<u128> {
            let list = model.similar(product(1), at(1), 10);
            list.iter().map(|item| item.product.as_u128()).collect()
        };
        assert_eq!(shown(&model), [4]);
        model.apply_product(facts(2));
        assert_eq!(shown(&model), [2, 4]);
        model.remove_product(product(4));
        assert_eq!(shown(&model), [2]);
        assert!(model.product(product(4)).is_none());
    }

    #[test]
    fn a_category_holds_those_below_it_and_not_those_that_begin_alike() {
        assert!(is_within("a/b/c", "a/b"));
        assert!(is_within("a/b", "a/b/"));
        assert!(!is_within("a/bc", "a/b"));
        assert!(!is_within("a", "a/b"));
    }

    #[test]
    fn a_list_has_a_longest_length() {
        let mut model = Model::new(ModelLimits::default());
        for number in 0..300 {
            model.apply_product(facts(number));
            model.apply(&event(number, "a", EventKind::ProductViewed, number, 0));
        }
        assert_eq!(model.for_visitor(&visitor("b"), at(0), usize::MAX).len(), MAX_LIST);
        assert_eq!(model.trending(Window::Day, None, at(0), 1_000).len(), MAX_LIST);
    }

    /// Events within a day, the time that a late event may take: beyond it, how far anybody's time has come decides
    /// which visits are closed, and that stays so when the visitor is forgotten.
    fn events() -> impl Strategy<Value = Vec<Event>> {
        let one =
            (0_u8..6, prop::sample::select(EventKind::ALL.to_vec()), 0..PRODUCTS, 0_i64..1_440);
        prop::collection::vec(one, 1..150).prop_map(|drawn| {
            let numbered = (0_u128..).zip(drawn);
            let build = |(id, (name, kind, number, minutes)): (u128, (u8, _, _, _))| {
                let mut built = event(id, &format!("v{name}"), kind, number, minutes);
                if kind == EventKind::OrderCompleted {
                    let listed = json!([product(number), product((number * 3 + 1) % PRODUCTS)]);
                    built.properties.insert("product_ids".into(), listed);
                }
                built
            };
            numbered.map(build).collect()
        })
    }

    fn tight() -> ModelLimits {
        ModelLimits {
            index: SessionIndexLimits {
                sessions: 4,
                sessions_per_product: 3,
                touches_per_session: 5,
            },
            sessions: SessionLimits {
                lateness: TimeDelta::hours(1),
                open: 3,
                touches: 4,
                closed: 5,
            },
            companions: CompanionLimits {
                baskets: 3,
                products_per_basket: 2,
                baskets_per_answer: 2,
            },
            visitors: VisitorLimits { visitors: 3, touches: 4, purchases: 2 },
            trending: 6,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_replay_gives_the_same_answers_to_the_last_bit(events in events()) {
            for limits in [ModelLimits::default(), tight()] {
                let (one, other) = (learned(limits, &events), learned(limits, &events));
                prop_assert_eq!(answers(&one, 6), answers(&other, 6));
            }
        }

        #[test]
        fn nothing_grows_beyond_its_limit(events in events()) {
            let mut model = with_catalogue(tight());
            for event in &events {
                model.apply(event);
                let sizes = model.sizes();
                prop_assert!(sizes.indexed_sessions <= 4 && sizes.indexed_products <= 20);
                prop_assert!(sizes.open_visits <= 3 && sizes.closed_visits <= 5);
                prop_assert!(sizes.baskets <= 3 && sizes.visitors <= 3 && sizes.trending <= 6);
            }
        }

        /// Demand aside, a forgotten visitor leaves the model as if they had never come.
        #[test]
        fn a_forgotten_visitor_was_never_there(events in events()) {
            let gone = visitor("v0");
            let mut forgot = learned(ModelLimits::default(), &events);
            let forgotten = forgot.forget_visitor(&gone);
            let others: Vec<Event> =
                events.iter().filter(|event| event.visitor_id != gone).cloned().collect();
            prop_assert_eq!(forgotten.visits > 0, others.len() < events.len());
            let never = learned(ModelLimits::default(), &others);
            prop_assert_eq!(forgot.forget_visitor(&gone), Forgotten::default());
            let now = at(2_000);
            prop_assert_eq!(forgot.funnel(at(0), now), never.funnel(at(0), now));
            prop_assert_eq!(
                forgot.session_statistics(at(0), now, now),
                never.session_statistics(at(0), now, now)
            );
            for number in 0..PRODUCTS {
                let asked = [product((number + 3) % PRODUCTS), product(number)];
                prop_assert_eq!(forgot.companions(&asked, 20), never.companions(&asked, 20));
                let ask = |model: &Model| {
                    let asking = asking(&asked, None, now);
                    let session = model.index.recommend_session(asking, 20, |_| true);
                    (session, model.index.similar(asked[0], now, 20, |_| true))
                };
                prop_assert_eq!(ask(&forgot), ask(&never));
            }
        }
    }
}
