//! Receipts: what became of a product's version in a downstream service.

mod product_applied;
mod product_failed;

use messaging::{Batch, Failure};

pub(crate) use self::{product_applied::RecordApplied, product_failed::RecordFailed};

/// Fails the receipts that name another service than their publisher, and returns whether there are any.
fn fail_foreign<E>(batch: &mut Batch<E>, service: impl Fn(&E) -> &str) -> bool {
    let mut foreign = Vec::new();
    for (index, delivery) in batch.delivered().iter().enumerate() {
        let (named, source) = (service(&delivery.event), &delivery.source);
        if named != source {
            foreign.push((index, format!("the receipt is of {named}, but {source} published it")));
        }
    }
    let found = !foreign.is_empty();
    for (index, cause) in foreign {
        batch.fail(index, Failure::reject("foreign_receipt", cause));
    }
    found
}
