//! Announces that pieces of an order come back.

use messaging::Transaction;
use runtime::clock;
use vocabulary::{Quantity, ReturnId, Sku};

use super::order_process::OrderProcess;
use crate::{
    domain::{
        self, NewReturn, OrderReturn, OrderStatus, ReturnNotPossible, ReturnReason, ReturnTerms,
    },
    storage::{orders::LockedOrder, returns, shipments},
};

#[derive(Debug)]
pub(crate) struct RequestReturnCommand {
    pub(crate) locked: LockedOrder,
    /// Sorted by SKU; each SKU occurs once.
    pub(crate) lines: Vec<(Sku, Quantity, ReturnReason)>,
    /// Whether the shop requests it: it may do so after the time in which customers may.
    pub(crate) is_by_shop: bool,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestReturnError {
    #[error(transparent)]
    NotPossible(#[from] ReturnNotPossible),
    #[error(transparent)]
    Messaging(#[from] messaging::Error),
}

/// Two requests for the same pieces wait for the lock of the order, so one of them sees the return of the other.
pub(crate) async fn request_return(
    tx: &mut Transaction,
    process: &OrderProcess,
    command: RequestReturnCommand,
) -> Result<ReturnId, RequestReturnError> {
    let RequestReturnCommand { locked: LockedOrder { order, trace }, lines, is_by_shop } = command;
    let now = clock::now();
    let earlier = returns::of_order(tx, order.id).await.map_err(messaging::Error::from)?;
    let earlier: Vec<OrderReturn> = earlier.into_iter().map(|view| view.order_return).collect();
    let delivered_at = if order.status() == OrderStatus::Delivered {
        shipments::last_delivery(tx, order.id).await.map_err(messaging::Error::from)?
    } else {
        None
    };
    let window = (!is_by_shop).then(|| process.return_window());
    let terms = ReturnTerms { window, delivered_at };
    let new = NewReturn { id: ReturnId::new(), lines };
    let decision = domain::request_return(order, &earlier, new, terms, now)?;
    returns::insert(tx, &decision.order_return).await.map_err(messaging::Error::from)?;
    process.record_one(tx, trace, decision.transition, now).await?;
    Ok(decision.order_return.id)
}
