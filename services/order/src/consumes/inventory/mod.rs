//! Events of inventory about the stock of orders.

pub(crate) mod stock_deducted;
pub(crate) mod stock_rejected;
pub(crate) mod stock_released;
pub(crate) mod stock_reserved;

use std::collections::HashMap;

use messaging::{Batch, Failure, Transaction};
use vocabulary::OrderId;

use crate::{
    app::order_process::TracedTransition,
    domain::{Order, Transition},
    storage::orders::{self, LockedOrder},
};

#[derive(Debug, thiserror::Error)]
#[error("there is no order {0}")]
struct UnknownOrder(OrderId);

/// Locks the orders of a batch. Events of unknown orders are rejected; then the result is `None`, because the batch is
/// delivered again without them.
async fn lock_orders<E>(
    tx: &mut Transaction,
    batch: &mut Batch<E>,
    order_of: impl Fn(&E) -> OrderId,
) -> Result<Option<HashMap<OrderId, LockedOrder>>, Failure> {
    let ids: Vec<OrderId> =
        batch.delivered().iter().map(|delivered| order_of(&delivered.event)).collect();
    let locked = orders::lock(tx, &ids).await?;
    let unknown: Vec<usize> =
        (0..ids.len()).filter(|index| !locked.contains_key(&ids[*index])).collect();
    for index in &unknown {
        batch.refuse(*index, Failure::reject("unknown_order", UnknownOrder(ids[*index])));
    }
    Ok(unknown.is_empty().then_some(locked))
}

/// Decides each event of a batch in order. Later events of an order see the state after the earlier ones.
fn decide_each<E>(
    batch: &Batch<E>,
    locked: &mut HashMap<OrderId, LockedOrder>,
    order_of: impl Fn(&E) -> OrderId,
    decide: impl Fn(Order, &E) -> Transition,
) -> Vec<TracedTransition> {
    let decided = batch.delivered().iter().filter_map(|delivered| {
        let locked = locked.get_mut(&order_of(&delivered.event))?;
        let transition = decide(locked.order.clone(), &delivered.event);
        locked.order = transition.order.clone();
        Some(TracedTransition { trace: delivered.cause.or(locked.trace), transition })
    });
    decided.collect()
}
