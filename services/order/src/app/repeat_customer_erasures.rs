//! Tells the other services again which customers are erased: one of them was restored from a backup.

use messaging::{Error, Transaction};
use runtime::clock;
use vocabulary::CustomerId;

use crate::{publishes::customer_erased::customer_erased, storage::customer_erasures};

/// The most customers of a transaction.
pub(crate) const REPEAT_SIZE: i64 = 1_000;

/// Publishes the erasures of the next customers after `after` again, and returns these customers.
pub(crate) async fn repeat_customer_erasures(
    tx: &mut Transaction,
    after: Option<CustomerId>,
) -> Result<Vec<CustomerId>, Error> {
    let customers = customer_erasures::reopen(tx, after, REPEAT_SIZE).await?;
    let now = clock::now();
    for customer in &customers {
        tx.emit(&customer_erased(*customer, now))?;
    }
    Ok(customers)
}
