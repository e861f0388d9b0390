//! Events of products: they update what can be recommended.

pub(crate) mod product_changed;
pub(crate) mod product_deleted;

use messaging::{Delivered, Error, Transaction};
use runtime::{
    clock,
    product_receipts::{product_applied, receipt_key},
};
use vocabulary::{ProductId, Version};

use crate::names::SERVICE;

/// Emits the receipt for a batch of product events, in the trace of the last one.
fn emit_product_applied<E>(
    tx: &mut Transaction,
    delivered: &[Delivered<E>],
    version_of: impl Fn(&E) -> (ProductId, Version),
) -> Result<(), Error> {
    let Some(last) = delivered.last() else { return Ok(()) };
    let key = receipt_key(version_of(&last.event).0);
    let versions = delivered.iter().map(|delivery| version_of(&delivery.event));
    if let Some(receipt) = product_applied(&SERVICE, key, versions, clock::now()) {
        tx.emit_caused_by(last.cause, &receipt)?;
    }
    Ok(())
}
