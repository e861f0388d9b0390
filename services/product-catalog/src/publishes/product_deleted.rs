//! `product.deleted.v1`: a product was deleted.

use contracts::catalog::ProductDeletedV1;

use crate::domain::Change;

/// The version of `change` is the one after the product's last.
pub(crate) const fn product_deleted(change: &Change) -> ProductDeletedV1 {
    ProductDeletedV1 {
        product_id: change.product_id,
        version: change.version,
        change_id: change.id,
        deleted_at: change.made_at,
    }
}
