//! Events that most tests need, with plausible contents.

use contracts::{
    catalog::{ProductChangedV1, ProductDeletedV1, ProductStatus, Variant},
    inventory::StockChangedV1,
};
use runtime::clock;
use serde_json::json;
use vocabulary::{ChangeId, Currency, Money, ProductId, Version};

/// An active product in a version, with one variant at 129 yuan for each SKU.
pub fn product_changed(product_id: ProductId, version: i64, skus: &[&str]) -> ProductChangedV1 {
    let now = clock::now();
    ProductChangedV1 {
        product_id,
        version: Version::try_from(version).unwrap(),
        change_id: ChangeId::new(),
        title: serde_json::from_value(json!({"zh": "键盘", "en": "Keyboard"})).unwrap(),
        description: serde_json::from_value(json!({})).unwrap(),
        brand: Some("AULA".to_owned()),
        category: "数码/电脑外设/机械键盘".to_owned(),
        attributes: serde_json::from_value(json!({})).unwrap(),
        images: Vec::new(),
        status: ProductStatus::Active,
        variants: skus
            .iter()
            .map(|sku| Variant {
                sku: sku.parse().unwrap(),
                options: serde_json::from_value(json!({})).unwrap(),
                price: Money::new(12_900, Currency::CNY).unwrap(),
                barcode: None,
                compare_at_price: None,
            })
            .collect(),
        created_at: now,
        updated_at: now,
    }
}

/// The deletion of a product as its version `version`.
pub fn product_deleted(product_id: ProductId, version: i64) -> ProductDeletedV1 {
    ProductDeletedV1 {
        product_id,
        version: Version::try_from(version).unwrap(),
        change_id: ChangeId::new(),
        deleted_at: clock::now(),
    }
}

/// `available` pieces of a SKU, none of them reserved.
pub fn stock_changed(sku: &str, version: i64, available: i64) -> StockChangedV1 {
    StockChangedV1 {
        sku: sku.parse().unwrap(),
        version: Version::try_from(version).unwrap(),
        on_hand: available,
        reserved: 0,
        available,
        changed_at: clock::now(),
    }
}
