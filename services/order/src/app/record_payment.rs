//! Records a payment that a provider reports.

use messaging::Transaction;
use runtime::clock;
use vocabulary::{Money, PaymentId};

use super::order_process::{OrderProcess, OrderUpdate};
use crate::{
    domain::{self, Payment, PaymentOutcome, PaymentTooEarly},
    storage::{orders::LockedOrder, payments},
};

#[derive(Debug)]
pub(crate) struct RecordPaymentCommand {
    pub(crate) locked: LockedOrder,
    /// The provider's id of the payment.
    pub(crate) reference: Option<String>,
    pub(crate) outcome: PaymentOutcome,
    /// What was paid, if the provider reports it.
    pub(crate) amount: Option<Money>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordPaymentError {
    #[error(transparent)]
    TooEarly(#[from] PaymentTooEarly),
    #[error(transparent)]
    Messaging(#[from] messaging::Error),
}

/// Two events with the same reference and outcome are one payment. A second payment would be refunded.
pub(crate) async fn record_payment(
    tx: &mut Transaction,
    process: &OrderProcess,
    command: RecordPaymentCommand,
) -> Result<OrderUpdate, RecordPaymentError> {
    let RecordPaymentCommand { locked, reference, outcome, amount } = command;
    let LockedOrder { order, trace } = locked;
    let is_known = match &reference {
        Some(reference) => payments::exists(tx, order.id, reference, outcome, amount)
            .await
            .map_err(messaging::Error::from)?,
        None => false,
    };
    if is_known {
        return Ok(OrderUpdate { status: order.status(), changed: false });
    }
    let now = clock::now();
    let payment = Payment { id: PaymentId::new(), reference, outcome, amount };
    let transition = domain::record_payment(order, payment, now, process.deadlines())?;
    Ok(process.record_one(tx, trace, transition, now).await?)
}
