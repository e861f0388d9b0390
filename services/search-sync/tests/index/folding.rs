//! Spellings that are the same to a shopper.

use std::collections::BTreeSet;

use search_sync::index::{Attribute, Document, Facet, Index, Query};

use super::products::{hits_for, index_of, numbers, search, titled, values};

fn with_brand(number: u128, title: &str, brand: &str) -> Document {
    Document { brand: brand.to_owned(), ..titled(number, title) }
}

fn catalogue() -> Index {
    let attribute = |number, title, key: &str, value: &str| {
        let mut document = titled(number, title);
        document.attributes.insert(key.to_owned(), Attribute::Words(vec![value.to_owned()]));
        document
    };
    index_of([
        with_brand(1, "蓝牙耳机 入耳式", "华为"),
        with_brand(2, "藍牙耳機 主動降噪", "華為"),
        titled(3, "不粘炒锅 32cm"),
        titled(4, "不粘炒鍋 30cm"),
        with_brand(5, "Ther\u{200b}mos 保温壶", "Anker"),
        with_brand(6, "Logitech 罗技 无线鼠标", "ANKER"),
        with_brand(7, "Crème brûlée 焦糖布丁", "Anker"),
        with_brand(8, "香槟 750ml", "Moët"),
        with_brand(9, "口红", "L’Oréal"),
        with_brand(10, "T恤", "Wang, Li & Co"),
        with_brand(11, "袜子", "Wang"),
        attribute(12, "帆布鞋", "颜色", "红色"),
        attribute(13, "帆布鞋", "顏色", "紅色"),
        attribute(14, "帆布鞋", "颜色", "白色, 灰色"),
        with_brand(15, "能量饮料", "Red Bull"),
        titled(16, "绿茶 250g"),
        Document { category: "食品/Café".to_owned(), ..titled(17, "咖啡豆") },
        Document { category: "食品/cafe".to_owned(), ..titled(18, "咖啡粉") },
        attribute(19, "帆布鞋", "颜色", "红色"),
    ])
}

fn set(index: &Index, q: &str) -> BTreeSet<u128> {
    hits_for(index, q).into_iter().collect()
}

#[test]
fn traditional_and_simplified_are_the_same_word() {
    let index = catalogue();
    for (q, expected) in [
        ("蓝牙耳机", vec![1, 2]),
        ("藍牙耳機", vec![1, 2]),
        ("锅", vec![3, 4]),
        ("鍋", vec![3, 4]),
        ("華為", vec![1, 2]),
    ] {
        assert_eq!(set(&index, q), expected.into_iter().collect(), "{q}");
    }
    let highlights: BTreeSet<String> =
        search(&index, "耳機").items.into_iter().map(|hit| hit.highlight).collect();
    let expected = ["蓝牙<em>耳机</em> 入耳式", "藍牙<em>耳機</em> 主動降噪"];
    assert_eq!(highlights, expected.map(str::to_owned).into());
}

#[test]
fn invisible_characters_do_not_divide_words() {
    let index = catalogue();
    for (q, expected) in [
        ("thermos", 5),
        ("logi\u{200b}tech", 6),
        ("logi\u{ad}tech", 6),
        ("无线\u{200b}鼠标", 6),
        ("log\u{2060}i\u{200d}tech\u{feff}", 6),
    ] {
        assert_eq!(hits_for(&index, q), [expected], "{q:?}");
    }
    let highlight = &search(&index, "thermos").items[0].highlight;
    assert_eq!(highlight, "<em>Ther\u{200b}mos</em> 保温壶");
    // A query of invisible characters is an empty one.
    assert_eq!(search(&index, "\u{200b}\u{feff}").total, 19);
}

#[test]
fn diacritics_and_marks_do_not_matter() {
    let index = catalogue();
    for (q, expected) in [
        ("creme brulee", 7),
        ("CRÈME", 7),
        ("cre\u{300}me", 7),
        ("moet", 8),
        ("Moët", 8),
        ("loreal", 9),
        ("l'oreal", 9),
        ("redbull", 15),
        ("red bull", 15),
        ("lücha", 16),
        ("lvcha", 16),
        ("lucha", 16),
    ] {
        assert_eq!(hits_for(&index, q).first(), Some(&expected), "{q}");
    }
}

#[test]
fn filters_compare_folded_values() {
    let index = catalogue();
    let found = |query: Query| {
        let mut found = numbers(&index.search(&query).unwrap());
        found.sort_unstable();
        found
    };
    let brand = |names: &[&str]| {
        let brands = names.iter().map(|name| (*name).to_owned()).collect();
        found(Query { brands, ..Query::default() })
    };
    assert_eq!(brand(&["华为"]), [1, 2]);
    assert_eq!(brand(&["華為"]), [1, 2]);
    assert_eq!(brand(&["ａｎｋｅｒ"]), [5, 6, 7]);
    assert_eq!(brand(&["moet"]), [8]);
    // A value with a comma is one brand if there is such a brand.
    assert_eq!(brand(&["Wang, Li & Co"]), [10]);
    assert_eq!(brand(&["wang,moet"]), [8, 11]);
    let attribute = |key: &str, value: &str| {
        let attributes = vec![values(key, &[value])];
        found(Query { attributes, ..Query::default() })
    };
    assert_eq!(attribute("颜色", "红色"), [12, 13, 19]);
    assert_eq!(attribute("顏色", "紅色"), [12, 13, 19]);
    assert_eq!(attribute("颜色", "白色, 灰色"), [14]);
    let category =
        |path: &str| found(Query { category: Some(path.to_owned()), ..Query::default() });
    assert_eq!(category("食品 / cafe"), [17, 18]);
    assert_eq!(category("食品"), [17, 18]);
}

#[test]
fn spellings_of_a_value_are_one_facet_entry() {
    let index = catalogue();
    let facets = vec![Facet::Brand, Facet::Category, Facet::Attribute("颜色".to_owned())];
    let results = index.search(&Query { facets, ..Query::default() }).unwrap();
    let counts = |facet: &str| -> Vec<(&str, u64)> {
        let counts = results.facets[facet].iter();
        counts.map(|count| (count.value.as_str(), count.count)).collect()
    };
    assert_eq!(counts("brand")[..2], [("Anker", 3), ("华为", 2)]);
    assert!(counts("brand").contains(&("Wang, Li & Co", 1)));
    assert_eq!(counts("attr.颜色"), [("红色", 3), ("白色, 灰色", 1)]);
    let query = Query {
        category: Some("食品".to_owned()),
        facets: vec![Facet::Category],
        ..Query::default()
    };
    let results = index.search(&query).unwrap();
    assert_eq!(results.facets["category"].len(), 1);
    assert_eq!(results.facets["category"][0].count, 2);
}
