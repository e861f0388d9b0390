//! Attributes whose values are numbers: ranges, and facets with numbers.

use std::collections::BTreeMap;

use search_sync::index::{
    Attribute, AttributeFilter, Document, Facet, Index, NumberRange, Query, Results, SearchError,
    VariantOption,
};

use super::products::{index_of, numbers, titled, values};

fn with(number: u128, attributes: &[(&str, Attribute)]) -> Document {
    let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    Document { attributes: attributes.collect(), ..titled(number, "商品") }
}

fn words(words: &[&str]) -> Attribute {
    Attribute::Words(words.iter().map(|word| (*word).to_owned()).collect())
}

/// Laptops with weights, colours and capacities.
fn laptops() -> Index {
    index_of([
        with(
            1,
            &[
                ("重量", Attribute::Number(1.2)),
                ("颜色", words(&["黑色"])),
                ("容量", words(&["256GB"])),
            ],
        ),
        with(
            2,
            &[("重量", words(&["10"])), ("颜色", words(&["白色"])), ("容量", words(&["512 gb"]))],
        ),
        with(
            3,
            &[
                ("重量", words(&["2.5", "-1"])),
                ("颜色", words(&["黑色"])),
                ("容量", words(&["1TB"])),
            ],
        ),
        with(4, &[("重量", Attribute::Number(1.2)), ("颜色", words(&["7"]))]),
        with(5, &[]),
    ])
}

/// A filter by a range, with bounds such as `1.2`; infinity for none.
fn range(name: &str, min: f64, max: f64, unit: Option<&'static str>) -> AttributeFilter {
    let range = Some(NumberRange { min, max, unit });
    AttributeFilter { name: name.to_owned(), values: Vec::new(), range }
}

fn filtered(index: &Index, filters: &[AttributeFilter]) -> Results {
    let facets = vec![Facet::Attribute("重量".to_owned()), Facet::Attribute("颜色".to_owned())];
    let query = Query { attributes: filters.to_vec(), facets, ..Query::default() };
    index.search(&query).unwrap()
}

fn found(index: &Index, filters: &[AttributeFilter]) -> Vec<u128> {
    let mut found = numbers(&filtered(index, filters));
    found.sort_unstable();
    found
}

/// Values, counts and numbers of a facet.
fn counts(results: &Results, facet: &str) -> Vec<(String, u64, Option<f64>)> {
    let counts = results.facets[facet].iter();
    counts.map(|one| (one.value.clone(), one.count, one.number)).collect()
}

fn owned(counts: &[(&str, u64, Option<f64>)]) -> Vec<(String, u64, Option<f64>)> {
    counts.iter().map(|(value, count, number)| ((*value).to_owned(), *count, *number)).collect()
}

#[test]
fn a_range_accepts_the_numbers_within_it() {
    let index = laptops();
    for (min, max, expected) in [
        (1.2, 2.0, vec![1, 4]),
        (1.3, 2.4, vec![]),
        (2.5, 10.0, vec![2, 3]),
        (f64::NEG_INFINITY, 0.0, vec![3]),
        (2.0, f64::INFINITY, vec![2, 3]),
        (f64::NEG_INFINITY, f64::INFINITY, vec![1, 2, 3, 4]),
    ] {
        assert_eq!(found(&index, &[range("重量", min, max, None)]), expected, "{min}..{max}");
    }
    // Names are compared like values are.
    assert_eq!(found(&index, &[range(" 顏色 ", 0.0, 10.0, None)]), [4]);
    assert_eq!(found(&index, &[range("重", 0.0, 10.0, None)]), Vec::<u128>::new());
}

#[test]
fn a_range_compares_numbers_of_one_unit() {
    let index = laptops();
    assert_eq!(found(&index, &[range("容量", 200.0, 300.0, Some("gb"))]), [1]);
    assert_eq!(found(&index, &[range("容量", 0.0, f64::INFINITY, Some("gb"))]), [1, 2]);
    assert_eq!(found(&index, &[range("容量", 1.0, 1.0, Some("tb"))]), [3]);
    assert_eq!(found(&index, &[range("容量", 0.0, f64::INFINITY, None)]), Vec::<u128>::new());
}

#[test]
fn a_facet_of_numbers_is_sorted_and_has_a_range() {
    let index = laptops();
    let results = filtered(&index, &[]);
    let weights = [
        ("-1", 1, Some(-1.0)),
        ("1.2", 2, Some(1.2)),
        ("2.5", 1, Some(2.5)),
        ("10", 1, Some(10.0)),
    ];
    assert_eq!(counts(&results, "attr.重量"), owned(&weights));
    let colours = [("黑色", 2, None), ("7", 1, None), ("白色", 1, None)];
    assert_eq!(counts(&results, "attr.颜色"), owned(&colours));
    let range = NumberRange { min: -1.0, max: 10.0, unit: None };
    assert_eq!(results.number_ranges, BTreeMap::from([("attr.重量".to_owned(), range)]));
    // Without the terabyte, the capacities have one unit.
    let facets = vec![Facet::Attribute("容量".to_owned())];
    let all = index.search(&Query { facets: facets.clone(), ..Query::default() }).unwrap();
    assert!(all.number_ranges.is_empty());
    let attributes = vec![values("重量", &["1.2", "10"])];
    let light = index.search(&Query { facets, attributes, ..Query::default() }).unwrap();
    let range = NumberRange { min: 256.0, max: 512.0, unit: Some("gb") };
    assert_eq!(light.number_ranges["attr.容量"], range);
}

#[test]
fn a_facet_ignores_its_own_range() {
    let index = laptops();
    let heavy = range("重量", 2.0, f64::INFINITY, None);
    let black = values("颜色", &["黑色"]);
    let results = filtered(&index, &[heavy.clone(), black.clone()]);
    assert_eq!(numbers(&results), [3]);
    // The weights of all black laptops, and the colours of all heavy ones.
    let weights = [("-1", 1, Some(-1.0)), ("1.2", 1, Some(1.2)), ("2.5", 1, Some(2.5))];
    assert_eq!(counts(&results, "attr.重量"), owned(&weights));
    let range = NumberRange { min: -1.0, max: 2.5, unit: None };
    assert_eq!(results.number_ranges["attr.重量"], range);
    assert_eq!(counts(&results, "attr.颜色"), owned(&[("白色", 1, None), ("黑色", 1, None)]));
    // Chosen values and a range of one attribute are one filter.
    let accepted =
        |names: &[&str]| AttributeFilter { range: heavy.range, ..values("重量", names) };
    assert_eq!(found(&index, &[accepted(&["1.2", "10"])]), [2]);
    let both = accepted(&["2.5", "1.2"]);
    let results = filtered(&index, &[both, black]);
    assert_eq!(numbers(&results), [3]);
    assert_eq!(counts(&results, "attr.重量"), owned(&weights));
}

#[test]
fn a_range_of_an_option_needs_an_available_variant() {
    let size = |value: &str, in_stock| VariantOption {
        name: "尺码".to_owned(),
        value: value.to_owned(),
        in_stock,
    };
    let shoe = Document { options: vec![size("42", true), size("45", false)], ..titled(1, "鞋") };
    let index = index_of([shoe]);
    let total = |in_stock| {
        let attributes = vec![range("尺码", 44.0, 46.0, None)];
        let query = Query { attributes, in_stock, ..Query::default() };
        index.search(&query).unwrap().total
    };
    assert_eq!((total(None), total(Some(true))), (1, 0));
}

#[test]
fn a_range_finds_all_of_many_values() {
    // Many blocks of the dictionary, with another attribute before and behind.
    let index = index_of((0_u32..3_000).map(|number| {
        let length = Attribute::Number(f64::from(number) / 8.0);
        with(
            number.into(),
            &[("a", Attribute::Number(7.0)), ("length", length), ("z", Attribute::Number(100.0))],
        )
    }));
    for (min, max) in [(0.0, 374.875), (100.0, 100.0), (99.9, 250.3), (374.0, 1e9)] {
        let attributes = vec![range("length", min, max, None)];
        let query = Query { attributes, limit: 0, ..Query::default() };
        let expected = (0_u32..3_000).filter(|n| (min..=max).contains(&(f64::from(*n) / 8.0)));
        let total = usize::try_from(index.search(&query).unwrap().total).unwrap();
        assert_eq!(total, expected.count(), "{min}..{max}");
    }
    let facets = vec![Facet::Attribute("length".to_owned())];
    let results = index.search(&Query { facets, limit: 0, ..Query::default() }).unwrap();
    let whole = NumberRange { min: 0.0, max: 374.875, unit: None };
    assert_eq!(results.number_ranges["attr.length"], whole);
    assert_eq!(results.facets["attr.length"].len(), 100);
}

#[test]
fn a_cursor_belongs_to_its_range() {
    let index = laptops();
    let attributes = vec![range("重量", 0.0, 10.0, None)];
    let query = Query { attributes, limit: 1, ..Query::default() };
    let cursor = index.search(&query).unwrap().next_cursor;
    let attributes = vec![range("重量", 0.0, 10.5, None)];
    let other = Query { attributes, cursor, ..query };
    assert!(matches!(index.search(&other), Err(SearchError::InvalidCursor)));
}
