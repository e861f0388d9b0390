//! Events of products: they register and withdraw SKUs. Counts of imports set stock.

mod product_changed;
mod product_deleted;
mod stock_counted;

use messaging::{Delivered, Error, Transaction};
use runtime::{clock, product_receipts};
use vocabulary::{ProductId, Version};

pub(crate) use self::{
    product_changed::RegisterSkus, product_deleted::WithdrawSkus, stock_counted::CountStock,
};
use crate::names::SERVICE;

/// Emits the receipt for a batch of product events, in the trace of the last one.
fn emit_product_applied<E>(
    tx: &mut Transaction,
    delivered: &[Delivered<E>],
    version_of: impl Fn(&E) -> (ProductId, Version),
) -> Result<(), Error> {
    let Some(last) = delivered.last() else { return Ok(()) };
    let key = product_receipts::receipt_key(version_of(&last.event).0);
    let versions = delivered.iter().map(|delivery| version_of(&delivery.event));
    if let Some(receipt) = product_receipts::product_applied(&SERVICE, key, versions, clock::now())
    {
        tx.emit_caused_by(last.cause, &receipt)?;
    }
    Ok(())
}
