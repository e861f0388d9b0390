//! The events that this service publishes, one file each: from the domain to the contract.

mod product_applied;
mod product_failed;

use uuid::Uuid;

pub(crate) use self::{product_applied::product_applied, product_failed::product_failed};

/// How many keys the receipts of searchable products have.
const RECEIPT_KEYS: u8 = 4;

/// The key of the receipts that one process publishes.
///
/// Numbering a key takes a lock, so processes with the same key wait for each other's commits. Several keys
/// are safe: a receipt settles all earlier versions, so receipts need no common order.
#[derive(Debug, Clone)]
pub(crate) struct ReceiptKey(String);

impl ReceiptKey {
    pub(crate) fn random() -> Self {
        let [first, ..] = *Uuid::new_v4().as_bytes();
        Self((first % RECEIPT_KEYS).to_string())
    }
}
