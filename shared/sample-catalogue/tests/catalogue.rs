//! The invariants of every catalogue, and the shape of the default one.

use std::collections::{BTreeMap, HashSet};

use proptest::prelude::{ProptestConfig, any, prop_assert, proptest};
use sample_catalogue::{
    Bilingual, DEFAULT_COUNT, DEFAULT_SEED, SampleProduct, opening_stock, products, write_ndjson,
};
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64;

/// Enough for later editions of every kind.
const MANY: usize = 20_000;

fn ndjson(seed: u64, count: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_ndjson(&mut bytes, products(seed).take(count)).expect("a Vec takes everything");
    bytes
}

fn is_han(letter: char) -> bool {
    ('\u{4e00}'..='\u{9fff}').contains(&letter)
}

/// Whether the weighted digits of an EAN-13 add up to a multiple of ten.
fn is_ean13(barcode: &str) -> bool {
    let digits: Vec<u32> = barcode.chars().filter_map(|digit| digit.to_digit(10)).collect();
    let sum: u32 = digits
        .iter()
        .enumerate()
        .map(|(at, digit)| if at % 2 == 0 { *digit } else { digit * 3 })
        .sum();
    barcode.len() == 13 && digits.len() == 13 && sum.is_multiple_of(10)
}

fn assert_reads_well(text: &Bilingual) {
    for words in [&text.zh, &text.en] {
        assert!(!words.trim().is_empty() && words.trim() == words, "{words:?}");
        assert!(!words.contains(['{', '}', '#']), "a placeholder was left: {words:?}");
        assert!(!words.contains("  "), "two spaces: {words:?}");
    }
    assert!(text.zh.chars().any(is_han), "no Chinese: {:?}", text.zh);
    assert!(!text.en.chars().any(is_han), "Chinese in English: {:?}", text.en);
    for doubled in ["，，", "。。", "、，", "，。", ", ,", "..", " ."] {
        assert!(!text.zh.contains(doubled) && !text.en.contains(doubled), "{text:?}");
    }
    let han: Vec<char> = text.zh.chars().collect();
    let stutters =
        |four: &[char]| four.iter().all(|letter| is_han(*letter)) && four[..2] == four[2..];
    assert!(!han.windows(4).any(stutters), "a doubled word: {:?}", text.zh);
    let words: Vec<String> = text.en.split(' ').map(str::to_lowercase).collect();
    assert!(!words.windows(2).any(|pair| pair[0] == pair[1]), "a doubled word: {:?}", text.en);
    let english = format!(" {}", text.en);
    for article in [" a 8", " a 11", " a a", " a e", " a i", " a o", " A a", " A e", " A i", " A o"]
    {
        assert!(!english.contains(article), "article: {:?}", text.en);
    }
}

fn assert_can_be_sold(product: &SampleProduct) {
    assert_reads_well(&product.title);
    assert_reads_well(&product.description);
    assert!(
        product.title.zh.chars().count() <= 100 && product.title.en.len() <= 200,
        "{product:?}"
    );
    assert!(!product.brand.is_empty());
    assert_eq!(product.category.split('/').filter(|level| !level.is_empty()).count(), 3);
    assert_eq!(product.status, "active");
    assert!(product.attributes.len() >= 2, "{product:?}");
    assert!((1..=6).contains(&product.variants.len()), "{product:?}");
    let options: HashSet<_> = product.variants.iter().map(|variant| &variant.options).collect();
    assert_eq!(options.len(), product.variants.len(), "two variants with the same options");
    for variant in &product.variants {
        let plain = |letter: char| letter.is_ascii_uppercase() || letter.is_ascii_digit();
        assert!(variant.sku.len() <= 40, "{}", variant.sku);
        assert!(
            variant.sku.split('-').all(|part| !part.is_empty() && part.chars().all(plain)),
            "{}",
            variant.sku
        );
        assert!(variant.price.amount >= 100, "{product:?}");
        assert_eq!(variant.price.amount % 10, 0);
        assert_eq!(variant.price.currency, "CNY");
        assert!(
            variant.barcode.starts_with("690") && is_ean13(&variant.barcode),
            "{}",
            variant.barcode
        );
        assert!(!variant.options.is_empty());
    }
}

#[test]
fn every_product_of_a_large_catalogue_can_be_sold() {
    let mut skus = HashSet::new();
    let mut barcodes = HashSet::new();
    let mut models = HashSet::new();
    let mut count = 0;
    for product in products(DEFAULT_SEED).take(MANY) {
        count += 1;
        assert_can_be_sold(&product);
        for variant in product.variants {
            assert!(skus.insert(variant.sku.clone()), "{} twice", variant.sku);
            assert!(barcodes.insert(variant.barcode.clone()), "{} twice", variant.barcode);
        }
        let is_new = models.insert(product.title.zh.clone());
        assert!(is_new, "{} twice", product.title.zh);
    }
    assert_eq!(count, MANY, "the catalogue ended");
}

#[test]
fn the_default_catalogue_has_every_category_in_fair_shares() {
    let mut categories = BTreeMap::new();
    for product in products(DEFAULT_SEED).take(DEFAULT_COUNT) {
        *categories.entry(product.category).or_insert(0_usize) += 1;
    }
    assert_eq!(categories.len(), 39, "{categories:#?}");
    assert!(categories.values().all(|count| *count >= 30), "{categories:#?}");
    for needed in
        ["机械键盘", "无线鼠标", "智能手机", "手机壳", "跑步鞋", "羽绒服", "T恤", "面霜", "电饭煲"]
    {
        assert!(categories.keys().any(|path| path.ends_with(needed)), "no {needed}");
    }
}

/// Only catalogues larger than the default one need new editions.
#[test]
fn the_default_catalogue_has_first_editions_only() {
    for product in products(DEFAULT_SEED).take(DEFAULT_COUNT) {
        for sign in ["Gen 2", "Rev. 2", "No. 2", "Edition 2", " 2.0 "] {
            assert!(!product.title.en.contains(sign), "{:?}", product.title);
        }
    }
}

#[test]
fn the_default_catalogue_answers_what_people_search_for() {
    let catalogue: Vec<SampleProduct> = products(DEFAULT_SEED).take(DEFAULT_COUNT).collect();
    let found = |words: &[&str]| {
        catalogue
            .iter()
            .filter(|product| {
                let text = format!("{} {}", product.title.zh, product.title.en).to_lowercase();
                words.iter().all(|word| text.contains(word))
            })
            .count()
    };
    for query in [
        &["机械键盘"][..],
        &["蓝牙耳机"],
        &["iphone", "手机壳"],
        &["华为", "手机壳"],
        &["充电宝", "20000mah"],
        &["mechanical keyboard"],
        &["龙井"],
        &["扫地机器人"],
        &["保温杯"],
        &["纸尿裤"],
    ] {
        assert!(found(query) >= 3, "{query:?} finds {}", found(query));
    }
}

#[test]
fn lines_have_the_shape_of_the_product_contract() {
    let bytes = ndjson(DEFAULT_SEED, 100);
    let lines: Vec<&str> = std::str::from_utf8(&bytes).expect("UTF-8").lines().collect();
    assert_eq!(lines.len(), 100);
    let names = |value: &Value| -> Vec<String> {
        value.as_object().expect("an object").keys().cloned().collect()
    };
    for line in lines {
        let product: Value = serde_json::from_str(line).expect("one JSON object on each line");
        let mut fields = names(&product);
        fields.sort_unstable();
        assert_eq!(
            fields,
            [
                "attributes",
                "brand",
                "category",
                "description",
                "images",
                "status",
                "title",
                "variants"
            ]
        );
        assert_eq!(names(&product["title"]).len(), 2);
        assert_eq!(product["images"], Value::Array(Vec::new()));
        for variant in product["variants"].as_array().expect("an array") {
            assert_eq!(names(variant).len(), 4);
            assert!(variant["price"]["amount"].is_i64() && variant["price"]["currency"] == "CNY");
            assert!(variant["sku"].is_string() && variant["barcode"].is_string());
        }
    }
}

/// Changing a word or a draw changes every catalogue: check the new one, then enter its digests here.
#[test]
fn a_seed_gives_the_same_bytes_everywhere() {
    assert_eq!(xxh3_64(&ndjson(DEFAULT_SEED, DEFAULT_COUNT)), 291_161_018_512_575_425);
    assert_eq!(xxh3_64(&ndjson(7, 2_000)), 6_049_412_986_659_799_855);
    assert_eq!(ndjson(7, 50), ndjson(7, 50));
    assert_ne!(ndjson(7, 50), ndjson(8, 50));
    assert!(
        ndjson(7, 60).starts_with(&ndjson(7, 50)),
        "a longer catalogue begins with the shorter"
    );
}

#[test]
fn opening_stock_is_mostly_plenty_and_sometimes_none() {
    let stocks: Vec<u32> = products(DEFAULT_SEED)
        .take(5_000)
        .flat_map(|product| product.variants)
        .map(|variant| opening_stock(&variant.sku))
        .collect();
    let per_mille = |wanted: fn(&u32) -> bool| {
        stocks.iter().filter(|stock| wanted(stock)).count() * 1_000 / stocks.len()
    };
    assert!(
        (12..=28).contains(&per_mille(|stock| *stock == 0)),
        "{}",
        per_mille(|stock| *stock == 0)
    );
    assert!((60..=100).contains(&per_mille(|stock| (1..20).contains(stock))));
    assert!(stocks.iter().all(|stock| *stock <= 500));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_seed_gives_products_that_can_be_sold(seed in any::<u64>()) {
        let mut skus = HashSet::new();
        for product in products(seed).take(50) {
            assert_can_be_sold(&product);
            for variant in product.variants {
                prop_assert!(skus.insert(variant.sku));
            }
        }
    }
}
