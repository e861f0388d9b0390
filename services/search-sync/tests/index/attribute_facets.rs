//! The facets of the attributes that most hits have.

use search_sync::index::{
    Attribute, AttributeFilter, Document, Facet, Index, Query, Results, VariantOption,
};

use super::products::{index_of, titled};

fn shirt(number: u128, colours: &[&str], weight: f64) -> Document {
    let word = |text: &str| Attribute::Words(vec![text.to_owned()]);
    let attributes = [
        ("面料", word(if number.is_multiple_of(2) { "棉" } else { "麻" })),
        ("货号", word(&format!("NO{number}"))),
        ("产地", word("中国")),
        ("克重", Attribute::Number(weight)),
    ];
    let option = |colour: &&str| VariantOption {
        name: "颜色".to_owned(),
        value: (*colour).to_owned(),
        in_stock: true,
    };
    Document {
        attributes: attributes.map(|(name, value)| (name.to_owned(), value)).into(),
        options: colours.iter().map(option).collect(),
        ..titled(number, "衬衫")
    }
}

fn shirts() -> Index {
    index_of([
        shirt(1, &["红", "蓝"], 180.0),
        shirt(2, &["红"], 180.0),
        shirt(3, &["蓝"], 220.0),
        shirt(4, &["红", "蓝"], 220.0),
    ])
}

fn search(facets: Vec<Facet>, colour: Option<&str>) -> Results {
    let filter = |value: &str| AttributeFilter {
        name: "颜色".to_owned(),
        values: vec![value.to_owned()],
        range: None,
    };
    let attributes = colour.map(filter).into_iter().collect();
    shirts().search(&Query { attributes, facets, ..Query::default() }).unwrap()
}

fn counts(results: &Results, facet: &str) -> Vec<(String, u64)> {
    results.facets[facet].iter().map(|one| (one.value.clone(), one.count)).collect()
}

fn owned(counts: &[(&str, u64)]) -> Vec<(String, u64)> {
    counts.iter().map(|(value, count)| ((*value).to_owned(), *count)).collect()
}

#[test]
fn frequent_attributes_are_facets_of_their_own() {
    let results = search(vec![Facet::Attributes], None);
    // Neither model numbers nor an attribute with a single value.
    let names: Vec<&str> = results.facets.keys().map(String::as_str).collect();
    assert_eq!(names, ["attr.克重", "attr.面料", "attr.颜色"]);
    assert_eq!(counts(&results, "attr.颜色"), owned(&[("红", 3), ("蓝", 3)]));
    assert_eq!(counts(&results, "attr.面料"), owned(&[("棉", 2), ("麻", 2)]));
    let range = results.number_ranges["attr.克重"];
    assert!((range.min - 180.0).abs() < 1e-9 && (range.max - 220.0).abs() < 1e-9);
}

#[test]
fn a_named_facet_ignores_its_own_filter() {
    // Chosen values: the named facet counts what another choice would give.
    let facets = vec![Facet::Attributes, Facet::Attribute("颜色".to_owned())];
    let results = search(facets, Some("红"));
    assert_eq!(results.total, 3);
    assert_eq!(counts(&results, "attr.颜色"), owned(&[("红", 3), ("蓝", 3)]));
    assert_eq!(counts(&results, "attr.面料"), owned(&[("棉", 2), ("麻", 1)]));
}
