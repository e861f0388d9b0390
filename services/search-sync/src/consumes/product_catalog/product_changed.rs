//! `product.changed.v1`: updates a product.

use contracts::catalog::{self, ProductChangedV1};
use envelope::Priority;
use messaging::{Batch, Failure, Handler, Transaction};

use crate::{
    app::{
        IndexerWaker,
        write_products::{ReceivedProduct, write_products},
    },
    domain::{CatalogProduct, ProductContent, ProductStatus, Variant},
    json,
};

#[derive(Debug, Clone)]
pub(crate) struct UpdateProduct(pub(crate) IndexerWaker);

impl Handler for UpdateProduct {
    type Event = ProductChangedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<ProductChangedV1>,
    ) -> Result<(), Failure> {
        let received = batch.delivered().iter().map(|delivered| ReceivedProduct {
            product: product(&delivered.event),
            is_edit: delivered.priority == Priority::Normal,
            traceparent: delivered.cause.map(|cause| cause.to_string()),
        });
        Ok(write_products(tx, received.collect(), &self.0).await?)
    }
}

fn product(event: &ProductChangedV1) -> CatalogProduct {
    let variant = |one: &catalog::Variant| Variant {
        sku: one.sku.clone(),
        options: one.options.clone(),
        price: one.price,
        barcode: one.barcode.clone(),
    };
    CatalogProduct {
        product_id: event.product_id,
        version: event.version,
        status: match event.status {
            catalog::ProductStatus::Draft => ProductStatus::Draft,
            catalog::ProductStatus::Active => ProductStatus::Active,
            catalog::ProductStatus::Archived => ProductStatus::Archived,
        },
        content: Some(ProductContent {
            title: event.title.clone(),
            description: event.description.clone(),
            brand: event.brand.clone(),
            category: event.category.clone(),
            attributes: json::attributes(&event.attributes),
            variants: event.variants.iter().map(variant).collect(),
        }),
    }
}
