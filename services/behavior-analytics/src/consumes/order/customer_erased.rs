//! `customer.erased.v1`: deletes what the customer did.

use contracts::order::CustomerErasedV1;
use messaging::{Batch, Failure, Handler, Transaction};
use runtime::clock;

use crate::app::{erase_customers::erase_customers, model_waker::ModelWaker};

#[derive(Debug, Clone)]
pub(crate) struct EraseCustomers(pub(crate) ModelWaker);

impl Handler for EraseCustomers {
    type Event = CustomerErasedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<CustomerErasedV1>,
    ) -> Result<(), Failure> {
        let customers: Vec<_> = (batch.delivered().iter())
            .map(|delivered| (delivered.event.customer_id, delivered.cause))
            .collect();
        Ok(erase_customers(tx, &self.0, &customers, clock::now()).await?)
    }
}
