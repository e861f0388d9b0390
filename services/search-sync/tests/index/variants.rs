//! Options, SKUs and barcodes of variants.

use search_sync::index::{Document, Facet, Index, Match, Query, VariantOption};

use super::products::{hits_for, index_of, numbers, search, titled, values};

/// Options as name, value and availability.
fn with_options(number: u128, title: &str, options: &[(&str, &str, bool)]) -> Document {
    let options = options.iter().map(|(name, value, in_stock)| VariantOption {
        name: (*name).to_owned(),
        value: (*value).to_owned(),
        in_stock: *in_stock,
    });
    Document { options: options.collect(), ..titled(number, title) }
}

fn catalogue() -> Index {
    let shoe = [
        ("颜色", "绛紫色", true),
        ("颜色", "月白色", false),
        ("尺码", "42", true),
        ("尺码", "43", false),
    ];
    let water = Document {
        skus: vec!["X1-EAN".to_owned(), "X1-EAN-6".to_owned()],
        barcodes: vec!["6901234567892".to_owned(), "036000291452".to_owned()],
        ..titled(3, "矿泉水 550ml")
    };
    index_of([
        with_options(1, "帆布鞋", &shoe),
        with_options(2, "板鞋", &[("顏色", "月白色", true), ("颜色", "月白色", true)]),
        water,
        Document { skus: vec!["X1-EAN-7".to_owned()], ..titled(4, "苏打水 6901234567893") },
        with_options(5, "手机", &[("容量", "256GB", true)]),
    ])
}

#[test]
fn options_are_searched() {
    let index = catalogue();
    assert_eq!(hits_for(&index, "绛紫色"), [1]);
    assert_eq!(hits_for(&index, "绛紫色 帆布鞋"), [1]);
    assert_eq!(hits_for(&index, "帆布鞋 42"), [1]);
    assert_eq!(hits_for(&index, "手机 256g"), [5]);
}

#[test]
fn options_are_filters_and_facets() {
    let index = catalogue();
    let filtered = |name: &str, value: &str, in_stock: Option<bool>| {
        let attributes = vec![values(name, &[value])];
        let facets = vec![Facet::Attribute("颜色".to_owned())];
        let query = Query { attributes, in_stock, facets, ..Query::default() };
        let results = index.search(&query).unwrap();
        let mut found = numbers(&results);
        found.sort_unstable();
        let counts = results.facets["attr.颜色"].iter();
        (found, counts.map(|one| (one.value.clone(), one.count)).collect::<Vec<_>>())
    };
    let both = vec![("月白色".to_owned(), 2), ("绛紫色".to_owned(), 1)];
    assert_eq!(filtered("颜色", "月白色", None), (vec![1, 2], both.clone()));
    assert_eq!(filtered("颜色", "绛紫色", None), (vec![1], both));
    // In stock, the variant with the option must be available.
    let available = vec![("月白色".to_owned(), 1), ("绛紫色".to_owned(), 1)];
    assert_eq!(filtered("颜色", "月白色", Some(true)), (vec![2], available));
    assert_eq!(filtered("尺码", "43", Some(true)).0, Vec::<u128>::new());
    assert_eq!(filtered("尺码", "43", None).0, [1]);
}

#[test]
fn a_code_finds_exactly_its_product() {
    let index = catalogue();
    for code in ["6901234567892", "x1-ean", "X1EAN", "036000291452", "0036000291452", "36000291452"]
    {
        let results = search(&index, code);
        assert_eq!(numbers(&results), [3], "{code}");
        assert_eq!(results.best_match, Match::Exact, "{code}");
    }
    assert_eq!(hits_for(&index, "x1-ean-7"), [4]);
}
