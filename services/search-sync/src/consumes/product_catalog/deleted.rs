//! `product.deleted.v1`: the product is not found any more.

use contracts::catalog::ProductDeletedV1;
use messaging::{Batch, Failure, Handler, Transaction};

use crate::{consumes::project::project, domain::Listing, tail::Wake};

/// Makes tombstones of documents.
#[derive(Debug, Clone)]
pub struct DeleteDocuments(pub(crate) Wake);

impl Handler for DeleteDocuments {
    type Event = ProductDeletedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<ProductDeletedV1>,
    ) -> Result<(), Failure> {
        project(tx, batch, &self.0, |event| Listing::deleted(event.product_id, event.version)).await
    }
}
