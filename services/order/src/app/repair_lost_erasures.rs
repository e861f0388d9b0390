//! Erases customers again after the database of this service went back to an earlier state.

use contracts::order::CUSTOMER;
use messaging::{Error, Transaction, reconcile::LostCommits};
use runtime::clock;
use uuid::Uuid;
use vocabulary::CustomerId;

use super::{
    erase_customers::{EraseCustomersCommand, erase_customers},
    worker_waker::WorkerWaker,
};

/// Who requests the erasure of customers that a subscriber knows to be erased.
const RECONCILIATION: &str = "reconcile";

/// Erases the customers whose erasure was lost, and which another service remembers.
pub(crate) async fn repair_lost_erasures(
    tx: &mut Transaction,
    lost: &[LostCommits],
) -> Result<(), Error> {
    let of_customers = lost.iter().filter(|commits| commits.aggregate == CUSTOMER);
    let customers: Vec<CustomerId> =
        of_customers.filter_map(|commits| Some(commits.key.parse::<Uuid>().ok()?.into())).collect();
    let command = EraseCustomersCommand {
        customers: &customers,
        requested_by: RECONCILIATION,
        requested_at: clock::now(),
    };
    // The service does not run; its worker begins when it starts.
    erase_customers(tx, &WorkerWaker::default(), command).await
}
