use proptest::prelude::*;

use super::*;
use crate::domain::{identity::SessionId, recommendation::Suggestion};

fn product(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000 + minutes * 60, 0).unwrap()
}

fn key(visitor: &str) -> SessionKey {
    SessionKey {
        visitor: VisitorId::parse(visitor).unwrap(),
        session: SessionId::parse("s").unwrap(),
    }
}

fn empty(limits: SessionIndexLimits) -> SessionIndex {
    SessionIndex::new(limits, SessionScoring::default())
}

fn index_of(sessions: &[&[u128]]) -> SessionIndex {
    let mut index = empty(SessionIndexLimits::default());
    for (number, products) in (0_i64..).zip(sessions) {
        for (minute, &seen) in (0_i64..).zip(*products) {
            index.learn(&key(&format!("v{number}")), product(seen), at(number + minute));
        }
    }
    index
}

fn recommend(index: &SessionIndex, products: &[u128], own: Option<&SessionKey>) -> Vec<Suggestion> {
    let products: Vec<Uuid> = products.iter().copied().map(product).collect();
    let query = SessionQuery { products: &products, own, revisits: false, now: at(100) };
    index.recommend_session(query, 20, |_| true)
}

fn numbers(suggestions: &[Suggestion]) -> Vec<u128> {
    suggestions.iter().map(|suggestion| suggestion.product.as_u128()).collect()
}

/// Asserts that the collections of the index agree with one another.
fn check_invariants(index: &SessionIndex) {
    assert_eq!(index.by_recency.len() + index.free_sessions.len(), index.sessions.len());
    assert_eq!(index.product_slots.len() + index.free_products.len(), index.products.len());
    for &slot in index.by_recency.values() {
        let session = &index.sessions[super::index(slot)];
        assert!(session.products.len() <= index.limits.interactions_per_session);
        assert_eq!(
            usize::try_from(session.distinct_products).unwrap(),
            last_positions(&session.products).count()
        );
    }
    for &slot in index.product_slots.values() {
        let product = &index.products[super::index(slot)];
        let contains =
            |session: u32| index.sessions[super::index(session)].products.contains(&slot);
        let containing = index.by_recency.values().filter(|&&session| contains(session)).count();
        assert_eq!(usize::try_from(product.sessions).unwrap(), containing);
        assert!(containing > 0);
        assert!(product.newest.iter().all(|&session| contains(session)));
        assert!(product.newest.len() <= index.limits.sessions_per_product);
    }
}

#[test]
fn neighbours_of_the_latest_product_come_first() {
    let index = index_of(&[&[1, 2, 9], &[1, 2], &[1, 3, 4, 7, 8]]);
    let found = recommend(&index, &[1], None);
    assert_eq!(found[0].product, product(2));
    assert_eq!(found[0].because, [product(1)]);
    assert!(found.iter().all(|suggestion| suggestion.product != product(1)));
    let order = numbers(&found);
    let place = |number: u128| order.iter().position(|&found| found == number);
    assert!(place(3) < place(8));
}

#[test]
fn the_latest_product_counts_most() {
    let index = index_of(&[&[1, 3], &[2, 4], &[1, 2, 5]]);
    assert_eq!(numbers(&recommend(&index, &[1, 2], None))[..2], [5, 4]);
    assert_eq!(numbers(&recommend(&index, &[2, 1], None))[..2], [3, 5]);
}

#[test]
fn an_open_session_is_used_immediately() {
    let mut index = index_of(&[&[1, 2]]);
    assert!(recommend(&index, &[7], None).is_empty());
    index.learn(&key("new"), product(7), at(10));
    index.learn(&key("new"), product(2), at(11));
    assert_eq!(numbers(&recommend(&index, &[7], None)), [2]);
    index.learn(&key("new"), product(8), at(12));
    let mut both = numbers(&recommend(&index, &[7], None));
    both.sort_unstable();
    assert_eq!(both, [2, 8]);
}

#[test]
fn only_earlier_products_can_be_recommended_again() {
    let index = index_of(&[&[1, 2, 3], &[2, 3, 1]]);
    let products = [product(1), product(2)];
    let query = SessionQuery { products: &products, own: None, revisits: true, now: at(100) };
    let mut found = numbers(&index.recommend_session(query, 20, |_| true));
    found.sort_unstable();
    assert_eq!(found, [1, 3]);
    assert_eq!(numbers(&recommend(&index, &[1, 2], None)), [3]);
}

#[test]
fn a_session_is_not_its_own_neighbour() {
    let index = index_of(&[&[1, 2, 3]]);
    assert_eq!(numbers(&recommend(&index, &[1, 2], Some(&key("v0")))), [0_u128; 0]);
    assert_eq!(numbers(&recommend(&index, &[1, 2], None)), [3]);
}

#[test]
fn unknown_products_and_empty_sessions_give_empty_lists() {
    let index = index_of(&[&[1, 2]]);
    assert!(recommend(&index, &[], None).is_empty());
    assert!(recommend(&index, &[77], None).is_empty());
    assert_eq!(numbers(&recommend(&index, &[1, 77], None)), [2]);
    assert!(index.similar(product(77), at(0), 5, |_| true).is_empty());
}

#[test]
fn the_filter_applies_before_the_limit() {
    let index = index_of(&[&[1, 2], &[1, 2], &[1, 3]]);
    let products = [product(1)];
    let query = SessionQuery { products: &products, own: None, revisits: false, now: at(100) };
    let odd = |id: Uuid| !id.as_u128().is_multiple_of(2);
    assert_eq!(numbers(&index.recommend_session(query, 1, odd)), [3]);
    assert_eq!(numbers(&index.similar(product(1), at(100), 1, odd)), [3]);
}

#[test]
fn newer_shared_sessions_count_more_for_similarity() {
    let index = index_of(&[&[1, 2], &[1, 2], &[1, 3], &[3, 4], &[3, 4]]);
    let similar = index.similar(product(1), at(10), 10, |_| true);
    assert_eq!(numbers(&similar), [2, 3]);
    assert_eq!(similar[0].because, [product(1)]);

    let mut index = empty(SessionIndexLimits::default());
    let day = 24 * 60;
    for (visitor, other, minutes) in [("a", 2, 0), ("b", 3, 60 * day)] {
        index.learn(&key(visitor), product(1), at(minutes));
        index.learn(&key(visitor), product(other), at(minutes));
    }
    assert_eq!(numbers(&index.similar(product(1), at(60 * day), 10, |_| true)), [3, 2]);
}

#[test]
fn a_pause_starts_an_entry_and_repeated_views_do_not() {
    let mut index = index_of(&[&[1, 1, 1, 2]]);
    assert_eq!(index.session_count(), 1);
    index.learn(&key("v0"), product(3), at(3 + 31));
    assert_eq!(index.session_count(), 2);
    assert_eq!(numbers(&recommend(&index, &[1], None)), [2]);
    check_invariants(&index);
}

#[test]
fn a_forgotten_visitor_leaves_no_trace() {
    let mut index = index_of(&[&[1, 2], &[1, 3]]);
    let visitor = VisitorId::parse("v1").unwrap();
    assert_eq!(index.forget_visitor(&visitor), 1);
    assert_eq!(index.forget_visitor(&visitor), 0);
    assert_eq!((index.session_count(), index.product_count()), (1, 2));
    assert_eq!(recommend(&index, &[1], None), recommend(&index_of(&[&[1, 2]]), &[1], None));
    check_invariants(&index);
}

#[test]
fn one_session_suffices_to_recommend_a_new_product() {
    let sessions: Vec<Vec<u128>> = (0..200).map(|number| vec![1, 2 + number % 10]).collect();
    let sessions: Vec<&[u128]> = sessions.iter().map(Vec::as_slice).collect();
    let mut index = index_of(&sessions);
    index.learn(&key("fresh"), product(1), at(300));
    index.learn(&key("fresh"), product(999), at(301));
    assert!(numbers(&recommend(&index, &[1], None)).contains(&999));
}

proptest! {
    #[test]
    fn the_index_is_bounded_consistent_and_deterministic(
        interactions in prop::collection::vec((0_u8..12, 0_u128..15, 0_i64..20), 1..200),
        forgotten in 0_u8..12,
    ) {
        let limits = SessionIndexLimits {
            sessions: 6,
            sessions_per_product: 3,
            interactions_per_session: 4,
        };
        let learn = || {
            let mut index = empty(limits);
            let mut now = 0;
            for &(visitor, seen, pause) in &interactions {
                now += pause;
                index.learn(&key(&format!("v{visitor}")), product(seen), at(now));
            }
            index
        };
        let (mut one, other) = (learn(), learn());
        check_invariants(&one);
        prop_assert!(one.session_count() <= 6 && one.product_count() <= 24);
        for seen in 0..15 {
            let query = [seen, (seen + 4) % 15];
            prop_assert_eq!(recommend(&one, &query, None), recommend(&other, &query, None));
            let similar = |index: &SessionIndex| index.similar(product(seen), at(500), 9, |_| true);
            prop_assert_eq!(similar(&one), similar(&other));
        }
        one.forget_visitor(&VisitorId::parse(&format!("v{forgotten}")).unwrap());
        check_invariants(&one);
    }
}

#[test]
fn sessions_of_less_weight_count_less() {
    let mut index = SessionIndex::new(SessionIndexLimits::default(), SessionScoring::default());
    for (visitor, other, weight) in [("a", 2, 0.25), ("b", 2, 0.25), ("c", 3, 1.0)] {
        for seen in [1, other] {
            index.learn_weighted(&key(visitor), product(seen), weight, at(0));
        }
    }
    let first = |list: Vec<Suggestion>| list.first().map(|suggestion| suggestion.product);
    assert_eq!(first(index.similar(product(1), at(1), 5, |_| true)), Some(product(3)));
    let products = [product(1)];
    let query = SessionQuery { products: &products, own: None, revisits: false, now: at(1) };
    assert_eq!(first(index.recommend_session(query, 5, |_| true)), Some(product(3)));
}
