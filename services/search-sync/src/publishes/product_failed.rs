//! `product.failed.v1`: the event of a product became a dead letter.

use envelope::Envelope;
use messaging::{Error, Transaction};
use runtime::product_receipts::emit_product_failed;

use crate::names::SERVICE;

/// The key of these receipts. The consumers publish them, not the indexer.
const RECEIPT_KEY: &str = "failed";

/// Emits the receipt in the transaction that records the dead letter.
pub(crate) fn product_failed()
-> impl Fn(&mut Transaction, &Envelope, &str) -> Result<(), Error> + Send + Sync + 'static {
    emit_product_failed(SERVICE, |_| RECEIPT_KEY.to_owned())
}
