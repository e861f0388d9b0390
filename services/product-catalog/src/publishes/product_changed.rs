//! `product.changed.v1`: the full state of a created or changed product.

use contracts::catalog;
use serde_json::Value;
use vocabulary::ChangeId;

use crate::domain::{Attribute, Number, Offer, Product, ProductStatus, Variant};

pub(crate) fn product_changed(product: &Product, change_id: ChangeId) -> catalog::ProductChangedV1 {
    let content = product.content.clone();
    let variant = |variant: Variant| {
        let Offer { price, compare_at_price } = product.offer(&variant);
        let Variant { sku, options, barcode, .. } = variant;
        catalog::Variant { sku, options, price, barcode, compare_at_price }
    };
    let attributes = content.attributes.into_iter().map(|(name, value)| (name, attribute(value)));
    catalog::ProductChangedV1 {
        product_id: product.id,
        version: product.version,
        change_id,
        title: content.title,
        description: content.description,
        brand: content.brand,
        category: content.category,
        attributes: attributes.collect(),
        images: content.images,
        status: status(content.status),
        variants: content.variants.into_iter().map(variant).collect(),
        created_at: product.created_at,
        updated_at: product.updated_at,
    }
}

fn attribute(attribute: Attribute) -> Value {
    match attribute {
        Attribute::Flag(flag) => flag.into(),
        Attribute::Number(Number::Unsigned(number)) => number.into(),
        Attribute::Number(Number::Signed(number)) => number.into(),
        Attribute::Number(Number::Decimal(number)) => number.into(),
        Attribute::Text(text) => text.into(),
        Attribute::Texts(texts) => texts.into(),
    }
}

const fn status(status: ProductStatus) -> catalog::ProductStatus {
    match status {
        ProductStatus::Draft => catalog::ProductStatus::Draft,
        ProductStatus::Active => catalog::ProductStatus::Active,
        ProductStatus::Archived => catalog::ProductStatus::Archived,
    }
}
