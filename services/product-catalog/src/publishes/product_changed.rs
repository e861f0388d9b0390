use contracts::catalog::{ProductChangedV1, ProductStatus, Variant};
use vocabulary::ChangeId;

use crate::domain::{self, Product, Status};

/// A product was made or changed: its full state.
pub(crate) fn product_changed(product: &Product, change_id: ChangeId) -> ProductChangedV1 {
    let content = product.content.clone();
    let attributes = content.attributes.into_iter().map(|(name, value)| (name, value.into()));
    ProductChangedV1 {
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

const fn status(status: Status) -> ProductStatus {
    match status {
        Status::Draft => ProductStatus::Draft,
        Status::Active => ProductStatus::Active,
        Status::Archived => ProductStatus::Archived,
    }
}

fn variant(variant: domain::Variant) -> Variant {
    let domain::Variant { sku, options, price, barcode } = variant;
    Variant { sku, options, price, barcode }
}
