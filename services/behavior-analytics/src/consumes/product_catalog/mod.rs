//! Events of products: they update what can be recommended.

pub(crate) mod product_changed;
pub(crate) mod product_deleted;

use messaging::{Delivered, Error, Transaction};
use runtime::{clock, product_receipts::products_applied};
use vocabulary::{ProductId, Version};

use crate::names::SERVICE;

/// Emits the receipt for a batch of product events, in the trace of the last one.
fn emit_product_applied<E>(
    tx: &mut Transaction,
    delivered: &[Delivered<E>],
    version_of: impl Fn(&E) -> (ProductId, Version),
) -> Result<(), Error> {
    let Some(last) = delivered.last() else { return Ok(()) };
    let versions = delivered.iter().map(|delivery| version_of(&delivery.event));
    for receipt in products_applied(&SERVICE, versions, clock::now()) {
        tx.emit_caused_by(last.cause, &receipt)?;
    }
    Ok(())
}
