//! Pays an order at the payment provider: authorises while the customer waits, and captures in the background.

use messaging::Outbox;
use runtime::clock;
use vocabulary::{Money, OrderId, PaymentId};

use super::{order_process::OrderProcess, payment_provider::PaymentProvider};
use crate::{
    domain::{
        self, Authorisation, AuthorisationAnswer, OrderStatus, Payment, PaymentOutcome,
        ProviderOperation, ProviderRequest,
    },
    storage::{
        orders::{self, LockedOrder},
        payments, provider_requests,
    },
};

#[derive(Debug)]
pub(crate) struct AuthorisePaymentCommand {
    pub(crate) order: OrderId,
    /// The total of the order.
    pub(crate) amount: Money,
    /// What the provider has given the customer's browser.
    pub(crate) token: String,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthorisePaymentError {
    #[error("the payment was declined: {0}")]
    Declined(String),
    #[error("the payment provider gave no answer: {0}")]
    Unavailable(String),
    /// The order changed while the provider was asked; the authorisation is given up.
    #[error("the order is {0}")]
    NotPayable(OrderStatus),
    #[error(transparent)]
    Messaging(#[from] messaging::Error),
}

/// The provider is asked without a transaction. If this process dies meanwhile, a repetition with the same token gets the same
/// authorisation.
pub(crate) async fn authorise_payment(
    outbox: &Outbox,
    process: &OrderProcess,
    provider: &PaymentProvider,
    command: AuthorisePaymentCommand,
) -> Result<(), AuthorisePaymentError> {
    let AuthorisePaymentCommand { order, amount, token } = command;
    let answer = provider.authorise(&Authorisation { order, amount, token }).await;
    let reference = match answer {
        AuthorisationAnswer::Authorised { reference } => reference,
        AuthorisationAnswer::Declined(reason) => {
            return Err(AuthorisePaymentError::Declined(reason));
        }
        AuthorisationAnswer::Failed(error) => {
            tracing::warn!(%order, error, "the payment provider did not authorise a payment");
            return Err(AuthorisePaymentError::Unavailable(error));
        }
    };
    record(outbox, process, order, amount, reference).await
}

/// Confirms the order and has the payment captured. If the order cannot be paid any more, the authorisation is voided.
async fn record(
    outbox: &Outbox,
    process: &OrderProcess,
    order: OrderId,
    amount: Money,
    reference: String,
) -> Result<(), AuthorisePaymentError> {
    let mut tx = outbox.begin().await?;
    let locked = orders::lock_one(&mut tx, order).await.map_err(messaging::Error::from)?;
    let Some(LockedOrder { order: locked, trace }) = locked else { return Ok(()) };
    let outcome = PaymentOutcome::Approved;
    // A repetition, or a webhook of the provider, may have recorded it.
    let is_known = payments::exists(&mut tx, order, &reference, outcome, Some(amount)).await;
    let is_known = is_known.map_err(messaging::Error::from)?;
    let (now, id, status) = (clock::now(), PaymentId::new(), locked.status());
    let is_payable = status == OrderStatus::Reserved && locked.total() == Some(amount);
    if is_payable && !is_known {
        let payment =
            Payment { id, reference: Some(reference.clone()), outcome, amount: Some(amount) };
        if let Ok(transition) = domain::record_payment(locked, payment, now, process.deadlines()) {
            process.record_one(&mut tx, trace, transition, now).await?;
        }
    }
    let requested = if is_payable || is_known {
        provider_requests::request_capture(&mut tx, order, &reference, now).await
    } else {
        let (operation, payment) = (ProviderOperation::Void, id);
        let request =
            ProviderRequest { operation, payment, refund: None, order, reference, amount };
        provider_requests::insert(&mut tx, &request, now).await
    };
    requested.map_err(messaging::Error::from)?;
    process.provider_waker().wake_after_commit(&mut tx);
    tx.commit().await?;
    if is_payable || is_known { Ok(()) } else { Err(AuthorisePaymentError::NotPayable(status)) }
}
