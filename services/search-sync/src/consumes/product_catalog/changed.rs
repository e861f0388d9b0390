//! `product.changed.v1`: the product is searchable as it is now, if it is for sale.

use contracts::catalog::{ProductChangedV1, ProductStatus, Variant as Offered};
use messaging::{Batch, Failure, Handler, Transaction};

use crate::{
    consumes::project::project,
    domain::{Content, Listing, State, Variant},
    tail::Wake,
};

/// Writes documents.
#[derive(Debug, Clone)]
pub struct WriteDocuments(pub(crate) Wake);

impl Handler for WriteDocuments {
    type Event = ProductChangedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<ProductChangedV1>,
    ) -> Result<(), Failure> {
        project(tx, batch, &self.0, listing).await
    }
}

fn listing(event: &ProductChangedV1) -> Listing {
    let variant = |offered: &Offered| Variant { sku: offered.sku.clone(), price: offered.price };
    Listing {
        product_id: event.product_id,
        version: event.version,
        state: match event.status {
            ProductStatus::Draft => State::Draft,
            ProductStatus::Active => State::Active,
            ProductStatus::Archived => State::Archived,
        },
        content: Some(Content {
            title: event.title.clone(),
            description: event.description.clone(),
            brand: event.brand.clone(),
            category: event.category.clone(),
            attributes: event.attributes.clone(),
            variants: event.variants.iter().map(variant).collect(),
        }),
    }
}
