use contracts::catalog::ProductDeletedV1;

use crate::domain::Change;

/// A product was deleted; the version of the change is the one after its last.
pub(crate) const fn product_deleted(change: &Change) -> ProductDeletedV1 {
    ProductDeletedV1 {
        product_id: change.product_id,
        version: change.version,
        change_id: change.id,
        deleted_at: change.made_at,
    }
}
