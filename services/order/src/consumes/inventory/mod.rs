//! Events of inventory about the stock of orders, and about availability.

pub(crate) mod stock_availability_changed;
pub(crate) mod stock_deducted;
pub(crate) mod stock_low;
pub(crate) mod stock_rejected;
pub(crate) mod stock_released;
pub(crate) mod stock_reserved;

use messaging::{Batch, Failure, Transaction};
use runtime::clock;
use vocabulary::OrderId;

use crate::{
    app::order_process::LockedOrders,
    domain::ReportedStock,
    storage::{lost_orders, orders},
};

#[derive(Debug, thiserror::Error)]
#[error("there is no order {0}")]
struct UnknownOrder(OrderId);

/// Locks the orders of a batch, in which inventory tells about their `stock`. Events of unknown orders are rejected; then the result is
/// `None`, because the batch is delivered again without them.
///
/// Lost orders are not locked, and only recorded. So are orders that contradict their stock: their commits were lost.
async fn lock_orders<E>(
    tx: &mut Transaction,
    batch: &mut Batch<E>,
    stock: ReportedStock,
    order_of: impl Fn(&E) -> OrderId,
) -> Result<Option<LockedOrders>, Failure> {
    let ids: Vec<OrderId> =
        batch.delivered().iter().map(|delivered| order_of(&delivered.event)).collect();
    let locked = orders::lock(tx, &ids).await?;
    let contradicted: Vec<OrderId> = locked
        .values()
        .map(|locked| &locked.order)
        .filter(|order| stock.contradicts(order.status()))
        .map(|order| order.id)
        .collect();
    lost_orders::insert_contradicted(tx, &contradicted, stock, clock::now()).await?;
    let mut unknown: Vec<usize> =
        (0..ids.len()).filter(|index| !locked.contains_key(&ids[*index])).collect();
    if !unknown.is_empty() {
        let missing: Vec<OrderId> = unknown.iter().map(|index| ids[*index]).collect();
        let lost = lost_orders::record_stock(tx, &missing, stock, clock::now()).await?;
        unknown.retain(|index| !lost.contains(&ids[*index]));
    }
    for index in &unknown {
        batch.fail(*index, Failure::reject("unknown_order", UnknownOrder(ids[*index])));
    }
    Ok(unknown.is_empty().then_some(locked))
}
