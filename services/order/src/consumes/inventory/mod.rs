//! Events of inventory about the stock of orders.

pub(crate) mod stock_deducted;
pub(crate) mod stock_rejected;
pub(crate) mod stock_released;
pub(crate) mod stock_reserved;

use messaging::{Batch, Failure, Transaction};
use vocabulary::OrderId;

use crate::{app::order_process::LockedOrders, storage::orders};

#[derive(Debug, thiserror::Error)]
#[error("there is no order {0}")]
struct UnknownOrder(OrderId);

/// Locks the orders of a batch. Events of unknown orders are rejected; then the result is `None`, because the batch is
/// delivered again without them.
async fn lock_orders<E>(
    tx: &mut Transaction,
    batch: &mut Batch<E>,
    order_of: impl Fn(&E) -> OrderId,
) -> Result<Option<LockedOrders>, Failure> {
    let ids: Vec<OrderId> =
        batch.delivered().iter().map(|delivered| order_of(&delivered.event)).collect();
    let locked = orders::lock(tx, &ids).await?;
    let unknown: Vec<usize> =
        (0..ids.len()).filter(|index| !locked.contains_key(&ids[*index])).collect();
    for index in &unknown {
        batch.fail(*index, Failure::reject("unknown_order", UnknownOrder(ids[*index])));
    }
    Ok(unknown.is_empty().then_some(locked))
}
