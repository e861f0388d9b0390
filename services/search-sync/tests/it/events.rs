//! Events of the other services.

use contracts::{
    behavior::PopularityChangedV1,
    catalog::{
        ProductChangedV1, RuleAction, RuleChangedV1, RuleProducts, RuleRemovedV1, RuleScope,
        Synonym, SynonymsChangedV1,
    },
};
use runtime::clock;
use serde_json::json;
use service_testkit::events::product_changed;
pub use service_testkit::events::{product_deleted, stock_changed};
use vocabulary::{Currency, Money, ProductId, RuleId, Version};

pub fn version(number: i64) -> Version {
    Version::try_from(number).unwrap()
}

/// An active product with one variant per SKU.
pub fn product(id: ProductId, number: i64, zh: &str, en: &str, skus: &[&str]) -> ProductChangedV1 {
    let mut event = ProductChangedV1 {
        title: serde_json::from_value(json!({"zh": zh, "en": en})).unwrap(),
        category: "数码/键盘/机械键盘".to_owned(),
        attributes: serde_json::from_value(json!({"轴体": "红轴", "键数": 87})).unwrap(),
        ..product_changed(id, number, skus)
    };
    for variant in &mut event.variants {
        variant.price = Money::new(25_900, Currency::CNY).unwrap();
    }
    event
}

/// The product of most tests.
pub fn keyboard(id: ProductId, number: i64) -> ProductChangedV1 {
    let sku = sku_of(id);
    product(id, number, "狼蛛F87 三模机械键盘", "F87 Tri-mode Mechanical Keyboard", &[&sku])
}

/// `count` keyboards in their first version, with different names.
pub fn keyboards(count: usize) -> Vec<ProductChangedV1> {
    let ids: Vec<ProductId> = (0..count).map(|_| ProductId::new()).collect();
    let numbered = |(number, id): (usize, &ProductId)| {
        let en = format!("Keyboard number K{number:05}");
        product(*id, 1, "机械键盘", &en, &[&sku_of(*id)])
    };
    ids.iter().enumerate().map(numbered).collect()
}

/// The SKU of a product with one variant.
pub fn sku_of(id: ProductId) -> String {
    format!("KB-{}", id.as_uuid().simple())
}

/// The next version of a product.
pub fn next_version(event: &ProductChangedV1) -> ProductChangedV1 {
    ProductChangedV1 { version: event.version.next(), ..event.clone() }
}

pub fn popularity_changed(id: ProductId, number: i64, score: f64) -> PopularityChangedV1 {
    PopularityChangedV1 {
        product_id: id,
        version: version(number),
        score,
        changed_at: clock::now(),
    }
}

/// A rule for the query 键盘.
pub fn rule(id: RuleId, number: i64, action: RuleAction, products: &[ProductId]) -> RuleChangedV1 {
    RuleChangedV1 {
        rule_id: id,
        version: version(number),
        action,
        scope: RuleScope::Query("键盘".to_owned()),
        products: RuleProducts::Ids(products.to_vec()),
        starts_at: None,
        ends_at: None,
        changed_at: clock::now(),
    }
}

pub fn rule_removed(id: RuleId, number: i64) -> RuleRemovedV1 {
    RuleRemovedV1 { rule_id: id, version: version(number), removed_at: clock::now() }
}

/// A list with one entry.
pub fn synonyms(number: i64, words: &[&str]) -> SynonymsChangedV1 {
    let words = words.iter().map(|word| (*word).to_owned()).collect();
    SynonymsChangedV1 {
        version: version(number),
        synonyms: vec![Synonym::TwoWay(words)],
        changed_at: clock::now(),
    }
}
