//! Cancels an order before it is shipped.

use messaging::Transaction;
use runtime::clock;

use super::order_process::OrderProcess;
use crate::{
    domain::{self, EndReason, InvalidTransition, OrderStatus},
    storage::orders::LockedOrder,
};

#[derive(Debug)]
pub(crate) struct CancelOrderCommand {
    pub(crate) locked: LockedOrder,
    pub(crate) cancelled_by: CancelledBy,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum CancelledBy {
    Customer,
    Shop,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum CancelOrderError {
    #[error(transparent)]
    NotCancellable(#[from] InvalidTransition),
    #[error(transparent)]
    Messaging(#[from] messaging::Error),
}

/// A cancelled order stays as it is.
pub(crate) async fn cancel_order(
    tx: &mut Transaction,
    process: &OrderProcess,
    command: CancelOrderCommand,
) -> Result<(), CancelOrderError> {
    let LockedOrder { order, trace } = command.locked;
    if order.status() == OrderStatus::Cancelled {
        return Ok(());
    }
    let reason = match command.cancelled_by {
        CancelledBy::Customer => {
            EndReason::new("cancelled_by_customer", "The customer cancelled the order.")
        }
        CancelledBy::Shop => EndReason::new("cancelled_by_shop", "The shop cancelled the order."),
    };
    let now = clock::now();
    let transition = domain::cancel(order, reason, now)?;
    process.record_one(tx, trace, transition, now).await?;
    Ok(())
}
