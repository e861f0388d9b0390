//! Locks returns, and what is wrong with requests about them.

use messaging::Transaction;
use problem::Problem;
use serde_json::json;
use vocabulary::ReturnId;

use crate::{
    domain::{ExcessPieces, OrderReturn},
    storage::{
        orders::{self, LockedOrder},
        returns,
    },
};

/// 404 for a return.
pub(super) fn return_not_found(id: ReturnId) -> Problem {
    Problem::not_found(format_args!("return {id}"))
}

/// Locks the order of a return, and reads the return.
pub(super) async fn lock_return(
    tx: &mut Transaction,
    id: ReturnId,
) -> Result<(LockedOrder, OrderReturn), Problem> {
    let found = returns::order_and_customer(tx, id).await?;
    let (order, _) = found.ok_or_else(|| return_not_found(id))?;
    let locked = orders::lock_one(tx, order).await?.ok_or_else(|| return_not_found(id))?;
    let view = returns::get(tx, order, id).await?.ok_or_else(|| return_not_found(id))?;
    Ok((locked, view.order_return))
}

/// 409 with the SKUs of which there are not as many pieces.
pub(super) fn excess_pieces(excess: &[ExcessPieces]) -> Problem {
    let line = |line: &ExcessPieces| json!({ "sku": line.sku, "requested": line.requested, "possible": line.possible });
    let texts = excess
        .iter()
        .map(|line| format!("{}: {} of {} possible", line.sku, line.requested, line.possible));
    Problem::conflict("too_many_returned", "More pieces than can come back")
        .detail(format!("{}.", texts.collect::<Vec<_>>().join(", ")))
        .member("lines", excess.iter().map(line).collect::<Vec<_>>())
}
