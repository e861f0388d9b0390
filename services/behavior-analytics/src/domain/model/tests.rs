use chrono::TimeDelta;
use proptest::prelude::*;

use super::{queries::MAX_LIST, *};
use crate::domain::{
    event::OrderDetails,
    identity::{SessionId, SessionKey},
    recommendation::Recommendation,
    session_index::SessionQuery,
};

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
        id: Uuid::from_u128(id),
        kind,
        visitor_id: visitor(name),
        session_id: SessionId::parse("s").unwrap(),
        product_id: Some(product(number)),
        occurred_at: at(minutes),
        order: OrderDetails::default(),
    }
}

fn info(number: u128) -> ProductInfo {
    ProductInfo {
        id: product(number),
        category: format!("shop/{}", number / 10).into(),
        in_stock: true,
        active: true,
    }
}

fn query<'a>(
    products: &'a [Uuid],
    own: Option<&'a SessionKey>,
    now: DateTime<Utc>,
) -> SessionQuery<'a> {
    SessionQuery { products, own, revisits: true, now }
}

/// How much a model holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sizes {
    products: usize,
    indexed_sessions: usize,
    indexed_products: usize,
    open_sessions: usize,
    closed_sessions: usize,
    baskets: usize,
    profiles: usize,
    trending: usize,
}

fn sizes(model: &Model) -> Sizes {
    Sizes {
        products: model.products.len(),
        indexed_sessions: model.index.session_count(),
        indexed_products: model.index.product_count(),
        open_sessions: model.sessions.open_count(),
        closed_sessions: model.sessions.closed_count(),
        baskets: model.companions.basket_count(),
        profiles: model.profiles.len(),
        trending: model.day.products(),
    }
}

fn with_catalogue(limits: ModelLimits) -> Model {
    let mut model = Model::new(limits);
    for number in 0..PRODUCTS {
        model.apply_product(ProductChange::Updated(info(number)));
    }
    model
}

fn model_of(limits: ModelLimits, events: &[Event]) -> Model {
    let mut model = with_catalogue(limits);
    for event in events {
        model.apply(event, 1.0);
    }
    model
}

/// The answers to all queries, as text; a difference of one bit is visible.
fn answers(model: &Model, visitors: u8) -> String {
    let now = at(2_000);
    let mut answers = Vec::new();
    for number in 0..PRODUCTS {
        let pair = [product(number), product((number + 7) % PRODUCTS)];
        answers.push(format!("{:?}", model.similar(product(number), now, 10)));
        answers.push(format!("{:?}", model.companions(&pair, 10)));
        answers.push(format!("{:?}", model.for_session(query(&pair, None, now), 10)));
    }
    for name in 0..visitors {
        answers.push(format!("{:?}", model.for_visitor(&visitor(&format!("v{name}")), now, 10)));
    }
    for window in [TrendingWindow::Now, TrendingWindow::Day] {
        answers.push(format!("{:?}", model.trending(window, None, now, 50)));
        answers.push(format!("{:?}", model.trending(window, Some("shop/1"), now, 50)));
    }
    answers.push(format!("{:?}", model.session_statistics(at(0), now, now)));
    answers.push(format!("{:?}", model.funnel(at(0), now)));
    answers.push(format!("{:?}", sizes(model)));
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
    events[4].order.product_ids = vec![product(2), product(3)];
    let mut model = model_of(ModelLimits::default(), &events);
    let buyer = CustomerId::new();
    model.learn_basket(product(77), buyer, &[product(2), product(3)], at(4));
    let key = events[0].session_key();
    let now = at(5);

    let codes = |list: &[Recommendation]| -> Vec<(u128, &str)> {
        list.iter().map(|item| (item.product.as_u128(), item.reason.code.as_str())).collect()
    };
    let in_category = (3, "trending_in_category");
    assert_eq!(codes(&model.similar(product(1), now, 2)), [(2, "viewed_together"), in_category]);
    assert_eq!(codes(&model.companions(&[product(3)], 5)), [(2, "bought_together")]);
    assert_eq!(
        codes(&model.for_session(query(&[product(2)], None, now), 1)),
        [(1, "viewed_together")]
    );
    let own = model.for_session(query(&[product(2)], Some(&key), now), 5);
    assert_eq!(codes(&own), [in_category, (1, "trending_in_category")]);
    assert_eq!(codes(&model.for_visitor(&visitor("a"), now, 5)), [(0_u128, ""); 0]);
    assert_eq!(model.session_products(&key), [1, 2, 2].map(product));
    let trends = model.trending(TrendingWindow::Now, Some("shop"), now, 5);
    assert_eq!(
        trends.iter().map(|trend| trend.product).collect::<Vec<_>>(),
        [2, 3, 1].map(product)
    );
    assert_eq!(model.funnel(at(0), now).steps.map(|step| step.sessions), [1; 4]);
    assert_eq!(model.session_statistics(at(0), now, now).events, 5);
}

#[test]
fn only_a_confirmed_order_is_demand() {
    let mut order = event(1, "a", EventKind::OrderCompleted, 1, 0);
    order.order = OrderDetails { product_ids: vec![product(1), product(2)] };
    let mut model = model_of(ModelLimits::default(), &[order]);
    assert_eq!(model.demand(at(0)), []);
    assert_eq!(sizes(&model).baskets, 0);
    let buyer = CustomerId::new();
    model.learn_basket(product(77), buyer, &[product(1), product(2)], at(0));
    let counts: Vec<f64> = model.demand(at(0)).iter().map(|trend| trend.count.round()).collect();
    assert_eq!(counts, [10.0, 10.0]);
    assert_eq!(model.companions(&[product(1)], 5).len(), 1);
    let listed = |model: &Model| model.for_visitor(&VisitorId::of(buyer), at(0), 5).len();
    assert_eq!(listed(&model), 0, "what a customer bought is known");
    model.forget_visitor(&VisitorId::of(buyer));
    assert_eq!((sizes(&model).baskets, listed(&model)), (0, 2));
}

#[test]
fn an_event_without_weight_belongs_to_its_visitor_alone() {
    let mut model = with_catalogue(ModelLimits::default());
    let view = event(1, "a", EventKind::ProductViewed, 1, 0);
    model.apply(&view, 0.0);
    assert_eq!(model.demand(at(0)), []);
    assert_eq!(sizes(&model).indexed_sessions, 0);
    assert_eq!(model.session_products(&view.session_key()), [product(1)]);
    assert_eq!(sizes(&model).profiles, 1);
    model.apply(&event(2, "b", EventKind::ProductViewed, 1, 0), 0.25);
    assert!((model.demand(at(0))[0].count - 0.25).abs() < 1e-6);
}

#[test]
fn only_active_products_in_stock_are_listed() {
    let events =
        [1, 2, 3, 4, 99].map(|number| event(number, "a", EventKind::ProductViewed, number, 0));
    let mut model = model_of(ModelLimits::default(), &events);
    let update = |product: ProductInfo| ProductChange::Updated(product);
    model.apply_product(update(ProductInfo { in_stock: false, ..info(2) }));
    model.apply_product(update(ProductInfo { active: false, ..info(3) }));
    let listed = |model: &Model| -> Vec<u128> {
        let list = model.similar(product(1), at(1), 10);
        list.iter().map(|item| item.product.as_u128()).collect()
    };
    assert_eq!(listed(&model), [4]);
    model.apply_product(update(info(2)));
    assert_eq!(listed(&model), [2, 4]);
    model.apply_product(ProductChange::Deleted(product(4)));
    assert_eq!(listed(&model), [2]);
    assert!(!model.products.contains_key(&product(4)));
}

#[test]
fn lists_have_a_maximum_length() {
    let mut model = Model::new(ModelLimits::default());
    for number in 0..300 {
        model.apply_product(ProductChange::Updated(info(number)));
        model.apply(&event(number, "a", EventKind::ProductViewed, number, 0), 1.0);
    }
    assert_eq!(model.for_visitor(&visitor("b"), at(0), usize::MAX).len(), MAX_LIST);
    assert_eq!(model.trending(TrendingWindow::Day, None, at(0), 1_000).len(), MAX_LIST);
}

/// Events within one day, the allowed lateness. Beyond it, the newest event of all visitors decides which
/// sessions are closed, and forgetting that visitor does not reopen them.
fn events() -> impl Strategy<Value = Vec<Event>> {
    let one = (0_u8..6, prop::sample::select(EventKind::ALL.to_vec()), 0..PRODUCTS, 0_i64..1_440);
    prop::collection::vec(one, 1..150).prop_map(|drawn| {
        let numbered = (0_u128..).zip(drawn);
        let build = |(id, (name, kind, number, minutes)): (u128, (u8, _, _, _))| {
            let mut built = event(id, &format!("v{name}"), kind, number, minutes);
            if kind == EventKind::OrderCompleted {
                built.order.product_ids =
                    vec![product(number), product((number * 3 + 1) % PRODUCTS)];
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
            interactions_per_session: 5,
        },
        sessions: SessionLimits {
            lateness: TimeDelta::hours(1),
            open: 3,
            interactions: 4,
            closed: 5,
        },
        companions: CompanionLimits { baskets: 3, products_per_basket: 2, baskets_per_query: 2 },
        profiles: ProfileLimits { visitors: 3, interactions: 4, purchases: 2 },
        trending: 6,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_replay_gives_bit_identical_answers(events in events()) {
        for limits in [ModelLimits::default(), tight()] {
            let (one, other) = (model_of(limits, &events), model_of(limits, &events));
            prop_assert_eq!(answers(&one, 6), answers(&other, 6));
        }
    }

    #[test]
    fn no_collection_exceeds_its_limit(events in events()) {
        let mut model = with_catalogue(tight());
        for event in &events {
            model.apply(event, 1.0);
            let sizes = sizes(&model);
            prop_assert!(sizes.indexed_sessions <= 4 && sizes.indexed_products <= 20);
            prop_assert!(sizes.open_sessions <= 3 && sizes.closed_sessions <= 5);
            prop_assert!(sizes.baskets <= 3 && sizes.profiles <= 3 && sizes.trending <= 6);
        }
    }

    #[test]
    fn forgetting_equals_never_learning_except_for_demand(events in events()) {
        let gone = visitor("v0");
        let mut forgot = model_of(ModelLimits::default(), &events);
        let forgotten = forgot.forget_visitor(&gone);
        let others: Vec<Event> =
            events.iter().filter(|event| event.visitor_id != gone).cloned().collect();
        prop_assert_eq!(forgotten.sessions > 0, others.len() < events.len());
        let never = model_of(ModelLimits::default(), &others);
        prop_assert_eq!(forgot.forget_visitor(&gone), Forgotten::default());
        let now = at(2_000);
        prop_assert_eq!(forgot.funnel(at(0), now), never.funnel(at(0), now));
        prop_assert_eq!(
            forgot.session_statistics(at(0), now, now),
            never.session_statistics(at(0), now, now)
        );
        for number in 0..PRODUCTS {
            let products = [product((number + 3) % PRODUCTS), product(number)];
            prop_assert_eq!(forgot.companions(&products, 20), never.companions(&products, 20));
            let lists = |model: &Model| {
                let query = query(&products, None, now);
                let session = model.index.recommend_session(query, 20, |_| true);
                (session, model.index.similar(products[0], now, 20, |_| true))
            };
            prop_assert_eq!(lists(&forgot), lists(&never));
        }
    }
}
