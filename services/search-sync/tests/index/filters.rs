//! Filters, facets and pages.

use std::collections::BTreeSet;

use search_sync::index::{Attribute, Change, Facet, Query, Results, SearchError, Sort};

use super::products::{documents, id, index, numbers, values};

fn counts(results: &Results, facet: &str) -> Vec<(String, u64)> {
    results.facets[facet].iter().map(|count| (count.value.clone(), count.count)).collect()
}

fn owned(pairs: &[(&str, u64)]) -> Vec<(String, u64)> {
    pairs.iter().map(|(value, count)| ((*value).to_owned(), *count)).collect()
}

#[test]
fn filters_select_products() {
    let index = index();
    let found = |query: Query| {
        let mut all = numbers(&index.search(&query).unwrap());
        all.sort_unstable();
        all
    };
    let by_brand =
        Query { brands: vec!["aula".to_owned(), "雷蛇".to_owned()], ..Query::default() };
    assert_eq!(found(by_brand), [1, 2, 6]);
    let by_category = Query { category: Some("数码/键盘".to_owned()), ..Query::default() };
    assert_eq!(found(by_category), [1, 2, 3]);
    let half_a_name = Query { category: Some("数码/键".to_owned()), ..Query::default() };
    assert_eq!(found(half_a_name), Vec::<u128>::new());
    let by_price = Query { price_min: Some(3_900), price_max: Some(6_900), ..Query::default() };
    assert_eq!(found(by_price), [13, 15, 17, 29]);
    let sold_out = Query { in_stock: Some(false), ..Query::default() };
    assert_eq!(found(sold_out), [5, 21]);
    let colours = values("颜色", &["黑色", "蓝色"]);
    let sizes = values("尺码", &["42"]);
    let by_attribute = Query { attributes: vec![colours.clone()], ..Query::default() };
    assert_eq!(found(by_attribute), [1, 3, 4, 6, 7, 8, 11, 20]);
    let by_two = Query { attributes: vec![colours, sizes], ..Query::default() };
    assert_eq!(found(by_two), [20]);
    let words_and_filters = Query {
        q: "无线".to_owned(),
        brands: vec!["罗技".to_owned()],
        in_stock: Some(true),
        ..Query::default()
    };
    assert_eq!(found(words_and_filters), [3, 4]);
}

#[test]
fn a_facet_ignores_its_own_filter() {
    let index = index();
    let query = Query {
        category: Some("数码".to_owned()),
        brands: vec!["罗技".to_owned()],
        attributes: vec![values("颜色", &["黑色"])],
        facets: vec![
            Facet::Brand,
            Facet::Category,
            Facet::Price,
            Facet::InStock,
            Facet::Attribute("颜色".to_owned()),
        ],
        ..Query::default()
    };
    let results = index.search(&query).unwrap();
    assert_eq!(results.total, 2);
    assert_eq!(
        counts(&results, "brand"),
        owned(&[("罗技", 2), ("AULA", 1), ("小米", 1), ("索尼", 1), ("雷蛇", 1)])
    );
    assert_eq!(counts(&results, "category"), owned(&[("数码/键盘", 1), ("数码/鼠标", 1)]));
    assert_eq!(counts(&results, "attr.颜色"), owned(&[("黑色", 2), ("白色", 1)]));
    assert_eq!(counts(&results, "in_stock"), owned(&[("true", 2)]));
    assert_eq!(counts(&results, "price"), owned(&[("50000..100000", 2)]));
    assert_eq!(results.price_range, Some((69_900, 74_900)));
}

#[test]
fn limit_zero_only_counts() {
    let index = index();
    let query = Query {
        limit: 0,
        facets: vec![Facet::Category, Facet::InStock, Facet::Attribute("keys".to_owned())],
        ..Query::default()
    };
    let results = index.search(&query).unwrap();
    assert!(results.items.is_empty() && results.next_cursor.is_none());
    assert_eq!(results.total, 32);
    assert_eq!(counts(&results, "category")[0], ("数码".to_owned(), 16));
    assert_eq!(counts(&results, "in_stock"), owned(&[("true", 30), ("false", 2)]));
    assert_eq!(counts(&results, "attr.keys"), owned(&[("87", 1), ("99", 1), ("108", 1)]));
    let under = Query {
        category: Some("数码/音频".to_owned()),
        facets: vec![Facet::Category],
        ..Query::default()
    };
    let results = index.search(&under).unwrap();
    assert_eq!(
        counts(&results, "category"),
        owned(&[("数码/音频/耳机", 3), ("数码/音频/音箱", 1)])
    );
}

#[test]
fn filters_do_not_relax_the_query() {
    let index = index();
    // Xiaomi makes no keyboard; that must not correct the query.
    let query = Query {
        q: "机械键盘".to_owned(),
        brands: vec!["小米".to_owned()],
        facets: vec![Facet::Brand],
        ..Query::default()
    };
    let results = index.search(&query).unwrap();
    assert_eq!((results.total, results.did_you_mean.clone()), (0, None));
    assert!(counts(&results, "brand").contains(&("AULA".to_owned(), 2)));
}

#[test]
fn pages_have_no_gaps_or_overlaps() {
    let index = index();
    for sort in [
        Sort::Relevance,
        Sort::PriceAscending,
        Sort::PriceDescending,
        Sort::Newest,
        Sort::Popularity,
    ] {
        for q in ["", "无线", "无线 鼠标"] {
            let whole = Query { q: q.to_owned(), sort, limit: 100, ..Query::default() };
            let expected = numbers(&index.search(&whole).unwrap());
            let mut query = Query { limit: 3, ..whole };
            let mut found = Vec::new();
            loop {
                let page = index.search(&query).unwrap();
                assert_eq!(page.total, u64::try_from(expected.len()).unwrap());
                found.extend(numbers(&page));
                match page.next_cursor {
                    Some(cursor) => query.cursor = Some(cursor),
                    None => break,
                }
            }
            assert_eq!(found, expected, "{q} {sort:?}");
        }
    }
}

#[test]
fn pages_stay_stable_while_products_change() {
    let index = index();
    let mut query = Query { sort: Sort::PriceAscending, limit: 10, ..Query::default() };
    let first = index.search(&query).unwrap();
    let mut writer = index.writer().unwrap();
    let mut added = documents()[0].clone();
    added.product_id = id(500);
    added.prices[0].amount = 1;
    writer.apply(&[Change::Upsert(Box::new(added)), Change::Delete(id(28))], "2").unwrap();
    query.cursor = first.next_cursor.clone();
    let second = index.search(&query).unwrap();
    let seen: BTreeSet<u128> = numbers(&first).into_iter().collect();
    assert!(numbers(&second).iter().all(|number| !seen.contains(number) && *number != 500));
}

#[test]
fn an_unknown_cursor_is_rejected() {
    let index = index();
    for cursor in ["", "x", "AAAA", "🎧"] {
        let query = Query { cursor: Some(cursor.to_owned()), ..Query::default() };
        assert!(matches!(index.search(&query), Err(SearchError::InvalidCursor)), "{cursor}");
    }
}

#[test]
fn flags_and_numbers_are_filterable() {
    let index = index();
    let mut writer = index.writer().unwrap();
    let mut document = documents()[0].clone();
    document.attributes.insert("防水".to_owned(), Attribute::Flag(true));
    document.attributes.insert("重量".to_owned(), Attribute::Number(0.95));
    document.brand = " 斜/杠=".to_owned();
    writer.apply(&[Change::Upsert(Box::new(document))], "2").unwrap();
    for (key, value) in [("防水", "true"), ("重量", "0.95")] {
        let query = Query { attributes: vec![values(key, &[value])], ..Query::default() };
        assert_eq!(numbers(&index.search(&query).unwrap()), [1], "{key}");
    }
    let query = Query { brands: vec!["斜/杠=".to_owned()], ..Query::default() };
    assert_eq!(numbers(&index.search(&query).unwrap()), [1]);
}
