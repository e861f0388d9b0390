//! What inventory says of an order's stock.

pub(crate) mod deducted;
pub(crate) mod rejected;
pub(crate) mod released;
pub(crate) mod reserved;

use std::collections::HashMap;

use messaging::{Batch, Failure, Transaction};
use vocabulary::OrderId;

use crate::{
    domain::{Order, Taken},
    process::Caused,
    storage::orders::{self, Locked},
};

/// An answer to an order that was never placed here.
#[derive(Debug, thiserror::Error)]
#[error("there is no order {0}")]
struct UnknownOrder(OrderId);

/// Locks the orders of a batch. An event of an order that does not exist is refused; then there is no answer, for the
/// batch comes again without it.
async fn lock<E>(
    tx: &mut Transaction,
    batch: &mut Batch<E>,
    order_of: impl Fn(&E) -> OrderId,
) -> Result<Option<HashMap<OrderId, Locked>>, Failure> {
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

/// Decides on each event of a batch, in order; where an order has several, each finds what the one before it left.
fn decide<E>(
    batch: &Batch<E>,
    locked: &mut HashMap<OrderId, Locked>,
    order_of: impl Fn(&E) -> OrderId,
    decide: impl Fn(Order, &E) -> Taken,
) -> Vec<Caused> {
    let decided = batch.delivered().iter().filter_map(|delivered| {
        let locked = locked.get_mut(&order_of(&delivered.event))?;
        let taken = decide(locked.order.clone(), &delivered.event);
        locked.order = taken.order.clone();
        Some(Caused { cause: delivered.cause.or(locked.trace), taken })
    });
    decided.collect()
}
