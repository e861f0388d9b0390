//! Holds the stock of an unpaid order for longer.

use messaging::Transaction;
use runtime::clock;

use super::order_process::OrderProcess;
use crate::{
    domain::{self, HoldNotExtendable},
    storage::orders::LockedOrder,
};

#[derive(Debug)]
pub(crate) struct ExtendHoldCommand {
    pub(crate) locked: LockedOrder,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum ExtendHoldError {
    #[error(transparent)]
    NotExtendable(#[from] HoldNotExtendable),
    #[error(transparent)]
    Messaging(#[from] messaging::Error),
}

pub(crate) async fn extend_hold(
    tx: &mut Transaction,
    process: &OrderProcess,
    command: ExtendHoldCommand,
) -> Result<(), ExtendHoldError> {
    let LockedOrder { order, trace } = command.locked;
    let now = clock::now();
    let transition = domain::extend_hold(order, now, process.deadlines())?;
    process.record_one(tx, trace, transition, now).await?;
    Ok(())
}
