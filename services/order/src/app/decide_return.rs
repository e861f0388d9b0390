//! Records what a warehouse decides about a return: it receives it, and the pieces are paid back, or it refuses it.

use chrono::{DateTime, Utc};
use messaging::Transaction;
use runtime::clock;

use super::order_process::OrderProcess;
use crate::{
    domain::{
        self, Order, OrderReturn, ReturnDecision, ReturnDecisionRefused, ReturnReceipt,
        ReturnRefusal,
    },
    storage::{orders::LockedOrder, returns},
};

#[derive(Debug)]
pub(crate) struct DecideReturnCommand {
    pub(crate) locked: LockedOrder,
    /// Read after the order was locked.
    pub(crate) order_return: OrderReturn,
    pub(crate) decision: WarehouseDecision,
}

#[derive(Debug)]
pub(crate) enum WarehouseDecision {
    Receive(ReturnReceipt),
    Refuse(ReturnRefusal),
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum DecideReturnError {
    #[error(transparent)]
    Refused(#[from] ReturnDecisionRefused),
    #[error(transparent)]
    Messaging(#[from] messaging::Error),
}

/// The refund has the id of the return, so a return is paid back once.
pub(crate) async fn decide_return(
    tx: &mut Transaction,
    process: &OrderProcess,
    command: DecideReturnCommand,
) -> Result<(), DecideReturnError> {
    let DecideReturnCommand { locked, order_return, decision } = command;
    let LockedOrder { order, trace } = locked;
    let now = clock::now();
    let decided = decide(order, order_return, decision, now)?;
    let ReturnDecision { transition, order_return, refund } = decided;
    returns::decide(tx, &order_return).await.map_err(messaging::Error::from)?;
    let transition = match refund {
        Some(amount) => {
            let id = order_return.id.as_uuid().into();
            process.refund_part(tx, id, amount, transition, now).await?
        }
        None => transition,
    };
    process.record_one(tx, trace, transition, now).await?;
    Ok(())
}

fn decide(
    order: Order,
    order_return: OrderReturn,
    decision: WarehouseDecision,
    now: DateTime<Utc>,
) -> Result<ReturnDecision, ReturnDecisionRefused> {
    match decision {
        WarehouseDecision::Receive(receipt) => {
            domain::receive_return(order, order_return, receipt, now)
        }
        WarehouseDecision::Refuse(refusal) => {
            domain::refuse_return(order, order_return, refusal, now)
        }
    }
}
