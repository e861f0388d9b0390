//! Erases customers: lists them, and tells the other services.

use chrono::{DateTime, Utc};
use messaging::{Error, Transaction};
use vocabulary::CustomerId;

use super::worker_waker::WorkerWaker;
use crate::{
    names::{BEHAVIOR_ANALYTICS, SERVICE},
    publishes::customer_erased::customer_erased,
    storage::{customer_erasures, priority_customers},
};

/// The services that store something about customers. Reservations and stock know orders, not customers.
const ERASING_SERVICES: [&str; 2] = [SERVICE.name, BEHAVIOR_ANALYTICS];

#[derive(Debug)]
pub(crate) struct EraseCustomersCommand<'a> {
    pub(crate) customers: &'a [CustomerId],
    /// The subject of a token.
    pub(crate) requested_by: &'a str,
    pub(crate) requested_at: DateTime<Utc>,
}

/// Lists customers as erased; those that are listed already stay as they are. The erasure worker then deletes their addresses.
pub(crate) async fn erase_customers(
    tx: &mut Transaction,
    waker: &WorkerWaker,
    command: EraseCustomersCommand<'_>,
) -> Result<(), Error> {
    let EraseCustomersCommand { customers, requested_by, requested_at } = command;
    let listed =
        customer_erasures::insert(tx, customers, requested_by, requested_at, &ERASING_SERVICES)
            .await?;
    priority_customers::remove(tx, customers).await?;
    for customer in listed {
        tx.emit(&customer_erased(customer, requested_at))?;
    }
    waker.wake_after_commit(tx);
    Ok(())
}
