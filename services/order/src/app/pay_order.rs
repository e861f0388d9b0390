//! Pays an order with the built-in test provider.

use messaging::Transaction;
use runtime::clock;
use vocabulary::PaymentId;

use super::order_process::OrderProcess;
use crate::{
    domain::{self, Payment, PaymentOutcome, PaymentTooEarly},
    storage::orders::LockedOrder,
};

#[derive(Debug)]
pub(crate) struct PayOrderCommand {
    pub(crate) locked: LockedOrder,
    pub(crate) outcome: PaymentOutcome,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum PayOrderError {
    #[error("the order is already paid")]
    AlreadyPaid,
    #[error(transparent)]
    TooEarly(#[from] PaymentTooEarly),
    #[error(transparent)]
    Messaging(#[from] messaging::Error),
}

/// Refunds an approved payment of an order that has ended.
pub(crate) async fn pay_order(
    tx: &mut Transaction,
    process: &OrderProcess,
    command: PayOrderCommand,
) -> Result<(), PayOrderError> {
    let LockedOrder { order, trace } = command.locked;
    if order.status().is_paid() {
        return Err(PayOrderError::AlreadyPaid);
    }
    let now = clock::now();
    let outcome = command.outcome;
    let payment = Payment { id: PaymentId::new(), reference: None, outcome, amount: None };
    let transition = domain::record_payment(order, payment, now, process.deadlines())?;
    process.record_one(tx, trace, transition, now).await?;
    Ok(())
}
