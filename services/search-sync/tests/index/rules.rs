//! Merchandising rules: what they change in the hits, the total, the facets and the pages.

use chrono::{DateTime, TimeDelta, Utc};
use search_sync::{
    domain::{HeldSetting, Rule, RuleEffect, RuleProducts, RuleScope, Setting, SettingsHistory},
    index::{Document, Facet, FacetCount, Index, Match, Query, Results, SearchSettings, Sort},
};
use uuid::Uuid;
use vocabulary::Version;

use super::products::{id, index_of, numbers, titled};

/// Thirty keyboards, the most popular first; every third is of the brand `AULA`. And a mouse.
fn catalogue() -> Index {
    let keyboard = |number: u128| Document {
        brand: if number.is_multiple_of(3) { "AULA" } else { "Keys" }.to_owned(),
        category: "数码/键盘".to_owned(),
        popularity: 1_000.0 - 30.0 * f64::from(u32::try_from(number).unwrap()),
        ..titled(number, "机械键盘")
    };
    let mouse = Document {
        brand: "AULA".to_owned(),
        category: "数码/鼠标".to_owned(),
        ..titled(100, "无线鼠标")
    };
    index_of((1..=30).map(keyboard).chain([mouse]))
}

fn now() -> DateTime<Utc> {
    "2026-11-29T08:00:00Z".parse().unwrap()
}

fn rule(number: u128, effect: RuleEffect, products: RuleProducts) -> Rule {
    Rule {
        id: Uuid::from_u128(number).into(),
        effect,
        scope: RuleScope::Query("键盘".to_owned()),
        products,
        starts_at: None,
        ends_at: None,
    }
}

fn ids(numbers: &[u128]) -> RuleProducts {
    RuleProducts::Ids(numbers.iter().map(|number| id(*number).into()).collect())
}

fn pin(position: u32, numbers: &[u128]) -> Rule {
    rule(u128::from(position), RuleEffect::Pin { position }, ids(numbers))
}

fn hide(products: RuleProducts) -> Rule {
    rule(900, RuleEffect::Hide, products)
}

fn held(rule: Rule, since: i64, until: Option<i64>) -> HeldSetting {
    HeldSetting { version: Version::FIRST, setting: Setting::Rule(rule), since, until }
}

fn settings(rules: impl IntoIterator<Item = Rule>) -> SearchSettings {
    let settings = rules.into_iter().map(|rule| held(rule, 1, None)).collect();
    SearchSettings::new(SettingsHistory { revision: 1, settings })
}

fn keyboards() -> Query {
    Query { q: "键盘".to_owned(), limit: 100, ..Query::default() }
}

fn search(index: &Index, query: &Query, rules: impl IntoIterator<Item = Rule>) -> Results {
    index.search_with(query, &settings(rules), now()).unwrap()
}

/// All pages with this number of hits; each must have the same total.
fn pages(index: &Index, settings: &[SearchSettings], query: &Query) -> Vec<u128> {
    let mut query = query.clone();
    let (mut found, mut total) = (Vec::new(), None);
    for settings in settings.iter().chain(std::iter::repeat(&settings[settings.len() - 1])) {
        let results = index.search_with(&query, settings, now()).unwrap();
        assert_eq!(*total.get_or_insert(results.total), results.total);
        found.extend(numbers(&results));
        query.cursor = results.next_cursor;
        if query.cursor.is_none() {
            break;
        }
    }
    assert_eq!(Some(u64::try_from(found.len()).unwrap()), total);
    found
}

#[test]
fn hidden_products_do_not_exist() {
    let index = catalogue();
    let facets = vec![Facet::Brand];
    for sort in [Sort::Relevance, Sort::Newest, Sort::PriceAscending, Sort::Popularity] {
        let query = Query { sort, facets: facets.clone(), ..keyboards() };
        let hidden = search(&index, &query, [hide(ids(&[1, 2]))]);
        assert_eq!(hidden.total, 28, "{sort:?}");
        assert!(!numbers(&hidden).contains(&1));
        let count =
            |value: &str, count| FacetCount { value: value.to_owned(), count, number: None };
        assert_eq!(hidden.facets["brand"], [count("Keys", 18), count("AULA", 10)]);
    }
    for products in
        [RuleProducts::Brand("aula".to_owned()), RuleProducts::Category("数码".to_owned())]
    {
        let all = matches!(products, RuleProducts::Category(_));
        let found = search(&index, &keyboards(), [hide(products)]);
        assert_eq!(
            (found.total, found.best_match),
            if all { (0, Match::Nothing) } else { (20, Match::Exact) }
        );
    }
    // The rule is for another search.
    let query = Query { q: "机械".to_owned(), ..keyboards() };
    assert_eq!(search(&index, &query, [hide(ids(&[1]))]).total, 30);
    let everywhere = Rule { scope: RuleScope::Everywhere, ..hide(ids(&[1])) };
    assert_eq!(search(&index, &query, [everywhere.clone()]).total, 29);
    let settings =
        settings([everywhere, Rule { scope: RuleScope::Everywhere, ..hide(ids(&[100])) }]);
    assert!(!index.suggest("无线", 5).unwrap().is_empty());
    assert!(index.suggest_with("无线", 5, &settings, now()).unwrap().is_empty());
}

#[test]
fn boosted_products_rise_and_buried_ones_sink() {
    let index = catalogue();
    let boost = rule(1, RuleEffect::Boost { factor: 3.0 }, ids(&[30]));
    assert_eq!(numbers(&search(&index, &keyboards(), [boost.clone()]))[..2], [30, 1]);
    let bury = rule(2, RuleEffect::Bury { factor: 0.1 }, RuleProducts::Brand("Keys".to_owned()));
    let found = numbers(&search(&index, &keyboards(), [boost.clone(), bury]));
    assert_eq!(found[..3], [30, 3, 6]);
    assert_eq!((found.len(), found[10..].iter().all(|number| number % 3 != 0)), (30, true));
    // Other orders stay as they are.
    let newest = Query { sort: Sort::Newest, ..keyboards() };
    assert_eq!(numbers(&search(&index, &newest, [boost]))[..2], [30, 29]);
    let newest = numbers(&search(&index, &newest, [pin(1, &[1])]));
    assert_eq!(newest[..2], [30, 29]);
}

#[test]
fn pinned_products_stand_at_their_positions_on_any_page() {
    let index = catalogue();
    let rules = || [pin(1, &[20, 19]), pin(5, &[1]), pin(12, &[18])];
    let all = numbers(&search(&index, &keyboards(), rules()));
    assert_eq!(all[..6], [20, 19, 2, 3, 1, 4]);
    assert_eq!((all[11], all.len()), (18, 30));
    for limit in [1, 2, 4, 5, 7, 29, 30] {
        let query = Query { limit, ..keyboards() };
        assert_eq!(pages(&index, &[settings(rules())], &query), all, "{limit}");
    }
}

#[test]
fn a_pin_for_a_query_adds_a_product_once() {
    let index = catalogue();
    let found = search(&index, &keyboards(), [pin(2, &[100])]);
    assert_eq!((found.total, &numbers(&found)[..3]), (31, &[1, 100, 2][..]));
    assert_eq!(found.items[1].matched, Match::Pinned);
    // It must pass the filters, and the facets count it.
    let filtered = Query { brands: vec!["Keys".to_owned()], ..keyboards() };
    assert_eq!(search(&index, &filtered, [pin(2, &[100])]).total, 20);
    let counted = Query { facets: vec![Facet::Category], ..keyboards() };
    let counted = search(&index, &counted, [pin(2, &[100])]);
    let children: u64 = counted.facets["category"].iter().map(|one| one.count).sum();
    assert_eq!(children, 31);
    // A pin for all searches only moves what matches.
    let everywhere = Rule { scope: RuleScope::Everywhere, ..pin(1, &[100, 30]) };
    let found = search(&index, &keyboards(), [everywhere.clone()]);
    assert_eq!((found.total, numbers(&found)[..2].to_vec()), (30, vec![1, 30]));
    let mouse = Query { q: "鼠标".to_owned(), ..Query::default() };
    assert_eq!(numbers(&search(&index, &mouse, [everywhere])), [100]);
    // Hiding wins, and a product that does not exist leaves its place to the next.
    let found = search(&index, &keyboards(), [pin(1, &[5, 999]), hide(ids(&[5]))]);
    assert_eq!((found.total, numbers(&found)[0]), (29, 1));
}

#[test]
fn a_pinned_product_answers_a_search_without_hits() {
    let index = catalogue();
    let scope = RuleScope::Query("zzzzz".to_owned());
    let query = Query { q: "zzzzz".to_owned(), ..Query::default() };
    let found = search(&index, &query, [Rule { scope, ..pin(3, &[7]) }]);
    assert_eq!((numbers(&found), found.total, found.best_match), (vec![7], 1, Match::Pinned));
    let marks = Query { q: "!!".to_owned(), ..Query::default() };
    let everywhere = Rule { scope: RuleScope::Everywhere, ..pin(1, &[7]) };
    assert_eq!(search(&index, &marks, [everywhere]).best_match, Match::NotUnderstood);
}

#[test]
fn rules_of_a_category_apply_within_it() {
    let index = catalogue();
    let scope = RuleScope::Category("数码/键盘".to_owned());
    let rule = Rule { scope, ..pin(1, &[30]) };
    let within = |path: &str| Query { category: Some(path.to_owned()), ..Query::default() };
    assert_eq!(numbers(&search(&index, &within("数码/键盘"), [rule.clone()]))[0], 30);
    assert_eq!(numbers(&search(&index, &within("数码"), [rule]))[0], 1);
}

#[test]
fn start_and_end_are_evaluated_at_query_time() {
    let index = catalogue();
    let rule = Rule {
        starts_at: Some(now()),
        ends_at: Some(now() + TimeDelta::hours(1)),
        ..hide(ids(&[1]))
    };
    let settings = settings([rule]);
    for (minutes, total) in [(-1, 30), (0, 29), (59, 29), (60, 30)] {
        let time = now() + TimeDelta::minutes(minutes);
        let found = index.search_with(&keyboards(), &settings, time).unwrap();
        assert_eq!(found.total, total, "{minutes}");
    }
}

#[test]
fn pages_keep_the_rules_of_the_first_page() {
    let index = catalogue();
    let before = || vec![pin(2, &[25]), rule(7, RuleEffect::Boost { factor: 4.0 }, ids(&[28]))];
    let after = || vec![pin(1, &[1, 2, 3, 29]), pin(15, &[28]), hide(ids(&[4, 5]))];
    let first = SearchSettings::new(SettingsHistory {
        revision: 1,
        settings: before().into_iter().map(|rule| held(rule, 1, None)).collect(),
    });
    let old = before().into_iter().map(|rule| held(rule, 1, Some(2)));
    let new = after().into_iter().map(|rule| held(rule, 2, None));
    let second =
        SearchSettings::new(SettingsHistory { revision: 2, settings: old.chain(new).collect() });
    let query = Query { limit: 7, ..keyboards() };
    let expected = pages(&index, std::slice::from_ref(&first), &query);
    assert_eq!(pages(&index, &[first.clone(), second.clone()], &query), expected);
    let newest = index.search_with(&keyboards(), &second, now()).unwrap();
    assert_eq!((newest.total, numbers(&newest)[0]), (28, 1));

    // A shopper who comes back after hours gets the rules of then, not an error.
    let page = index.search_with(&query, &first, now()).unwrap();
    let next = Query { cursor: page.next_cursor, ..query };
    let later = index.search_with(&next, &second, now() + TimeDelta::hours(3)).unwrap();
    assert_eq!((later.total, later.items.len()), (28, 7));
}

#[test]
fn a_pin_that_changes_between_pages_repeats_nothing() {
    let index = catalogue();
    let query = Query { limit: 5, ..keyboards() };
    let settings = settings([pin(1, &[30, 29])]);
    let first = index.search_with(&query, &settings, now()).unwrap();
    let mut seen = numbers(&first);
    // The first pinned product is no longer for sale.
    index.writer().unwrap().apply(&[search_sync::index::Change::Delete(id(30))], "2").unwrap();
    let mut cursor = first.next_cursor;
    while let Some(next) = cursor {
        let page = Query { cursor: Some(next), ..query.clone() };
        let page = index.search_with(&page, &settings, now()).unwrap();
        seen.extend(numbers(&page));
        cursor = page.next_cursor;
    }
    seen.sort_unstable();
    assert_eq!(seen, (1..=30).collect::<Vec<u128>>());
}
