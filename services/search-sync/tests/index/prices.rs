//! Prices: of one currency per listing, and of single variants.

use search_sync::index::{
    Change, Document, Facet, Index, Price, Query, Results, SearchError, Sort,
};
use vocabulary::Currency;

use super::products::{id, index_of, numbers, titled};

fn currency(code: &str) -> Currency {
    code.parse().unwrap()
}

fn priced(number: u128, prices: &[(i64, &str)]) -> Document {
    let prices =
        prices.iter().map(|(amount, code)| Price { amount: *amount, currency: currency(code) });
    Document { prices: prices.collect(), ..titled(number, "跑步鞋") }
}

/// A shop with prices in yuan and in yen. The product 5 has none.
fn documents() -> [Document; 6] {
    [
        priced(1, &[(1_000, "CNY"), (100, "CNY"), (150, "CNY")]),
        priced(2, &[(450, "CNY")]),
        priced(3, &[(1_299, "JPY"), (9_800, "JPY")]),
        priced(4, &[(4_500, "JPY"), (120, "CNY")]),
        priced(5, &[]),
        priced(6, &[(90, "CNY"), (3_000, "JPY"), (2_000, "JPY")]),
    ]
}

fn shop() -> Index {
    index_of(documents())
}

fn sorted(results: &Results) -> Vec<u128> {
    let mut found = numbers(results);
    found.sort_unstable();
    found
}

/// The products with a price of a currency in a range.
fn between(index: &Index, code: &str, min: Option<i64>, max: Option<i64>) -> Vec<u128> {
    let currency = currency(code);
    let query = Query { currency, price_min: min, price_max: max, ..Query::default() };
    sorted(&index.search(&query).unwrap())
}

/// The ranges of the facet with their counts, and the range of all prices.
type PriceFacet = (Vec<(String, u64)>, Option<(i64, i64)>);

fn facet(index: &Index, query: &Query) -> PriceFacet {
    let query = Query { facets: vec![Facet::Price], limit: 0, ..query.clone() };
    let results = index.search(&query).unwrap();
    let counts = results.facets["price"].iter().map(|one| (one.value.clone(), one.count));
    (counts.collect(), results.price_range)
}

fn owned(counts: &[(&str, u64)]) -> Vec<(String, u64)> {
    counts.iter().map(|(value, count)| ((*value).to_owned(), *count)).collect()
}

#[test]
fn a_variant_must_have_an_accepted_price() {
    let index = shop();
    // The product 1 costs 100, 150 or 1000.
    assert_eq!(between(&index, "CNY", Some(400), Some(500)), [2]);
    assert_eq!(between(&index, "CNY", Some(1_000), Some(1_000)), [1]);
    assert_eq!(between(&index, "CNY", None, Some(100)), [1, 6]);
    assert_eq!(between(&index, "CNY", Some(451), None), [1]);
    assert_eq!(between(&index, "CNY", Some(1_001), None), Vec::<u128>::new());
}

#[test]
fn a_product_counts_once_in_each_range_with_a_price() {
    let index = shop();
    let counts = owned(&[("50..100", 1), ("100..200", 2), ("200..500", 1), ("1000..2000", 1)]);
    assert_eq!(facet(&index, &Query::default()), (counts.clone(), Some((90, 1_000))));
    // The facet ignores its own filter.
    let filtered = Query { price_min: Some(400), price_max: Some(500), ..Query::default() };
    assert_eq!(facet(&index, &filtered), (counts, Some((90, 1_000))));
}

#[test]
fn a_listing_has_the_prices_of_one_currency() {
    let index = shop();
    assert_eq!(between(&index, "JPY", Some(0), None), [3, 4, 6]);
    assert_eq!(between(&index, "JPY", Some(2_500), Some(5_000)), [4, 6]);
    assert_eq!(between(&index, "JPY", None, Some(120)), Vec::<u128>::new());
    assert_eq!(between(&index, "EUR", Some(0), None), Vec::<u128>::new());
    assert_eq!(between(&index, "EUR", None, None), [1, 2, 3, 4, 5, 6]);
    let yen = Query { currency: currency("JPY"), ..Query::default() };
    let counts = owned(&[("1000..2000", 1), ("2000..5000", 2), ("5000..10000", 1)]);
    assert_eq!(facet(&index, &yen), (counts, Some((1_299, 9_800))));
    let euros = Query { currency: currency("EUR"), ..Query::default() };
    assert_eq!(facet(&index, &euros), (Vec::new(), None));
}

#[test]
fn products_without_a_price_in_the_currency_come_last() {
    let index = shop();
    for (code, sort, expected) in [
        ("CNY", Sort::PriceAscending, [6, 1, 4, 2, 5, 3]),
        ("CNY", Sort::PriceDescending, [1, 2, 4, 6, 5, 3]),
        ("JPY", Sort::PriceAscending, [3, 6, 4, 5, 2, 1]),
        ("JPY", Sort::PriceDescending, [3, 4, 6, 5, 2, 1]),
    ] {
        for q in ["", "跑步鞋"] {
            let q = q.to_owned();
            let query = Query { q, currency: currency(code), sort, ..Query::default() };
            assert_eq!(numbers(&index.search(&query).unwrap()), expected, "{code} {sort:?}");
        }
    }
}

#[test]
fn a_hit_shows_the_currency_of_the_listing_or_its_own() {
    let index = shop();
    let shown = |code: &str| -> Vec<Option<(i64, i64, String)>> {
        let query = Query { currency: currency(code), sort: Sort::Newest, ..Query::default() };
        let items = index.search(&query).unwrap().items.into_iter().rev();
        items
            .map(|hit| {
                let (low, high) = (hit.price_min?, hit.price_max?);
                assert_eq!(low.currency, high.currency);
                Some((low.amount, high.amount, low.currency.to_string()))
            })
            .collect()
    };
    let price = |low, high, code: &str| Some((low, high, code.to_owned()));
    let (first, second) = (price(100, 1_000, "CNY"), price(450, 450, "CNY"));
    let third = price(1_299, 9_800, "JPY");
    let own = [first.clone(), second.clone(), third.clone()];
    let rest = [price(120, 120, "CNY"), None, price(90, 90, "CNY")];
    assert_eq!(shown("CNY"), [own.clone(), rest].concat());
    let rest = [price(4_500, 4_500, "JPY"), None, price(2_000, 3_000, "JPY")];
    assert_eq!(shown("JPY"), [own.clone(), rest].concat());
    // The first price of a product is in its own currency.
    let rest = [price(4_500, 4_500, "JPY"), None, price(90, 90, "CNY")];
    assert_eq!(shown("EUR"), [own, rest].concat());
}

#[test]
fn a_cursor_belongs_to_its_currency() {
    let index = shop();
    for sort in [Sort::Relevance, Sort::PriceAscending] {
        let query = Query { sort, limit: 2, ..Query::default() };
        let cursor = index.search(&query).unwrap().next_cursor;
        let next = Query { cursor, ..query };
        assert_eq!(index.search(&next).unwrap().items.len(), 2);
        let other = Query { currency: currency("JPY"), ..next };
        assert!(matches!(index.search(&other), Err(SearchError::InvalidCursor)), "{sort:?}");
    }
}

#[test]
fn prices_survive_merges_of_segments() {
    let folder = tempfile::tempdir().unwrap();
    let index = Index::open(folder.path()).unwrap();
    let mut writer = index.writer().unwrap();
    for (number, document) in documents().into_iter().enumerate() {
        writer.apply(&[Change::Upsert(Box::new(document))], &number.to_string()).unwrap();
    }
    writer.apply(&[Change::Delete(id(2))], "deleted").unwrap();
    let expected = || {
        assert_eq!(between(&index, "CNY", Some(100), Some(200)), [1, 4]);
        assert_eq!(between(&index, "JPY", Some(2_500), Some(9_800)), [3, 4, 6]);
        let counts = owned(&[("50..100", 1), ("100..200", 2), ("1000..2000", 1)]);
        assert_eq!(facet(&index, &Query::default()), (counts, Some((90, 1_000))));
    };
    expected();
    let writer = writer.compact().unwrap();
    assert_eq!(index.segments(), 1);
    expected();
    drop(writer);
}
