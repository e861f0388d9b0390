//! Cancels pieces of a line before the order is shipped.

use messaging::Transaction;
use runtime::clock;
use vocabulary::{Quantity, RefundId, Sku};

use super::order_process::OrderProcess;
use crate::{
    domain::{self, CancelledLine, LineNotCancellable},
    storage::{line_cancellations, orders::LockedOrder},
};

#[derive(Debug)]
pub(crate) struct CancelLineCommand {
    pub(crate) locked: LockedOrder,
    pub(crate) sku: Sku,
    /// `None` for all pieces that are left.
    pub(crate) quantity: Option<Quantity>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum CancelLineError {
    #[error(transparent)]
    NotCancellable(#[from] LineNotCancellable),
    #[error(transparent)]
    Messaging(#[from] messaging::Error),
}

/// The refund has the id of the cancellation.
pub(crate) async fn cancel_line(
    tx: &mut Transaction,
    process: &OrderProcess,
    command: CancelLineCommand,
) -> Result<(), CancelLineError> {
    let CancelLineCommand { locked: LockedOrder { order, trace }, sku, quantity } = command;
    let now = clock::now();
    let cancelled = domain::cancel_line(order, &sku, quantity, RefundId::new(), now)?;
    let CancelledLine { transition, cancellation, refund } = cancelled;
    line_cancellations::insert(tx, &cancellation).await.map_err(messaging::Error::from)?;
    let transition = match refund {
        Some(amount) => process.refund_part(tx, cancellation.id, amount, transition, now).await?,
        None => transition,
    };
    process.record_one(tx, trace, transition, now).await?;
    Ok(())
}
