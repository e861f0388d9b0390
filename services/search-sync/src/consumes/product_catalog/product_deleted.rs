//! `product.deleted.v1`: removes a product.

use contracts::catalog::ProductDeletedV1;
use envelope::Priority;
use messaging::{Batch, Failure, Handler, Transaction};

use crate::{
    app::{
        IndexerWaker,
        write_products::{ReceivedProduct, write_products},
    },
    domain::CatalogProduct,
};

#[derive(Debug, Clone)]
pub(crate) struct DeleteProduct(pub(crate) IndexerWaker);

impl Handler for DeleteProduct {
    type Event = ProductDeletedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<ProductDeletedV1>,
    ) -> Result<(), Failure> {
        let received = batch.delivered().iter().map(|delivered| {
            let ProductDeletedV1 { product_id, version, .. } = delivered.event;
            ReceivedProduct {
                product: CatalogProduct::deleted(product_id, version),
                is_edit: delivered.priority == Priority::Normal,
                traceparent: delivered.cause.map(|cause| cause.to_string()),
            }
        });
        Ok(write_products(tx, received.collect(), &self.0).await?)
    }
}
