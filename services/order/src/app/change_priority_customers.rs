//! Gives customers priority, and takes it from them.

use messaging::Transaction;
use runtime::clock;
use vocabulary::CustomerId;

use super::order_process::OrderProcess;
use crate::storage::priority_customers;

/// The maximum number of customers with priority: each process has them in memory.
pub(crate) const MAX_PRIORITY_CUSTOMERS: u32 = 100_000;

#[derive(Debug, thiserror::Error)]
pub(crate) enum AddPriorityCustomerError {
    #[error("there are {MAX_PRIORITY_CUSTOMERS} customers with priority")]
    TooMany,
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Orders of the customer overtake others from now on. `added_by` is the subject of a token.
pub(crate) async fn add_priority_customer(
    tx: &mut Transaction,
    process: &OrderProcess,
    customer: CustomerId,
    added_by: &str,
) -> Result<(), AddPriorityCustomerError> {
    let limit = MAX_PRIORITY_CUSTOMERS.into();
    if !priority_customers::add(tx, customer, added_by, clock::now(), limit).await? {
        return Err(AddPriorityCustomerError::TooMany);
    }
    change_after_commit(tx, process, customer, true);
    Ok(())
}

/// Later orders of the customer are like those of others. Orders that are placed stay as they are.
pub(crate) async fn remove_priority_customer(
    tx: &mut Transaction,
    process: &OrderProcess,
    customer: CustomerId,
) -> Result<(), sqlx::Error> {
    priority_customers::remove(tx, &[customer]).await?;
    change_after_commit(tx, process, customer, false);
    Ok(())
}

fn change_after_commit(
    tx: &mut Transaction,
    process: &OrderProcess,
    customer: CustomerId,
    has_priority: bool,
) {
    let cache = process.priority_customers().clone();
    tx.after_commit(move || cache.change(customer, has_priority));
}
