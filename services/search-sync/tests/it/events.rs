//! Events of the other services.

use contracts::{
    behavior::PopularityChangedV1,
    catalog::{ProductChangedV1, ProductDeletedV1, ProductStatus, Variant},
    inventory::StockChangedV1,
};
use runtime::clock;
use serde_json::json;
use vocabulary::{ChangeId, Currency, Money, ProductId, Version};

pub fn version(number: i64) -> Version {
    Version::try_from(number).unwrap()
}

/// An active product with one variant per SKU.
pub fn product(id: ProductId, number: i64, zh: &str, en: &str, skus: &[&str]) -> ProductChangedV1 {
    let now = clock::now();
    let variant = |sku: &&str| Variant {
        sku: sku.parse().unwrap(),
        options: serde_json::from_value(json!({})).unwrap(),
        price: Money::new(25_900, Currency::CNY).unwrap(),
        barcode: None,
    };
    ProductChangedV1 {
        product_id: id,
        version: version(number),
        change_id: ChangeId::new(),
        title: serde_json::from_value(json!({"zh": zh, "en": en})).unwrap(),
        description: serde_json::from_value(json!({})).unwrap(),
        brand: Some("AULA".to_owned()),
        category: "数码/键盘/机械键盘".to_owned(),
        attributes: serde_json::from_value(json!({"轴体": "红轴", "键数": 87})).unwrap(),
        images: Vec::new(),
        status: ProductStatus::Active,
        variants: skus.iter().map(variant).collect(),
        created_at: now,
        updated_at: now,
    }
}

/// The product of most tests.
pub fn keyboard(id: ProductId, number: i64) -> ProductChangedV1 {
    let sku = sku_of(id);
    product(id, number, "狼蛛F87 三模机械键盘", "F87 Tri-mode Mechanical Keyboard", &[&sku])
}

/// `count` keyboards in their first version, with different names.
pub fn keyboards(count: usize) -> Vec<ProductChangedV1> {
    let ids: Vec<ProductId> = (0..count).map(|_| ProductId::new()).collect();
    let numbered = |(place, id): (usize, &ProductId)| {
        let en = format!("Keyboard number K{place:05}");
        product(*id, 1, "机械键盘", &en, &[&sku_of(*id)])
    };
    ids.iter().enumerate().map(numbered).collect()
}

/// The SKU of a product with one variant.
pub fn sku_of(id: ProductId) -> String {
    format!("KB-{}", id.as_uuid().simple())
}

/// The next version of a product.
pub fn again(event: &ProductChangedV1) -> ProductChangedV1 {
    ProductChangedV1 { version: event.version.next(), ..event.clone() }
}

pub fn deleted(id: ProductId, number: i64) -> ProductDeletedV1 {
    let version = version(number);
    ProductDeletedV1 {
        product_id: id,
        version,
        change_id: ChangeId::new(),
        deleted_at: clock::now(),
    }
}

pub fn stock(sku: &str, number: i64, available: i64) -> StockChangedV1 {
    StockChangedV1 {
        sku: sku.parse().unwrap(),
        version: version(number),
        on_hand: available,
        reserved: 0,
        available,
        changed_at: clock::now(),
    }
}

pub fn popularity(id: ProductId, number: i64, score: f64) -> PopularityChangedV1 {
    PopularityChangedV1 {
        product_id: id,
        version: version(number),
        score,
        changed_at: clock::now(),
    }
}
