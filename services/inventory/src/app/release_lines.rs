//! Releases pieces of single lines that were cancelled before their orders are shipped.

use std::collections::{BTreeSet, HashMap};

use envelope::trace::TraceContext;
use messaging::Transaction;
use runtime::clock;
use vocabulary::{OrderId, RefundId, Sku};

use super::write_stock::write_for_orders;
use crate::{
    domain::{self, Allocation, CancelledPieces, LowStock, ReservationError},
    storage::{reservations, stock},
};

/// Written to the ledger.
const REASON: &str = "line cancelled";

pub(crate) struct ReleaseLineCommand {
    pub(crate) order: OrderId,
    /// The cancellation.
    pub(crate) id: RefundId,
    pub(crate) sku: Sku,
    pub(crate) pieces: Vec<CancelledPieces>,
    /// The trace of the event.
    pub(crate) cause: Option<TraceContext>,
}

/// Releases the pieces of each cancellation once. If some are not reserved, nothing changes; they are returned by index.
pub(crate) async fn release_lines(
    tx: &mut Transaction,
    low: LowStock,
    commands: &[ReleaseLineCommand],
) -> Result<Vec<(usize, ReservationError)>, messaging::Error> {
    let ids: Vec<RefundId> = commands.iter().map(|command| command.id).collect();
    let mut known = reservations::released_lines(tx, &ids).await?;
    let orders: Vec<OrderId> = commands.iter().map(|command| command.order).collect();
    let mut reservations = reservations::of_orders(tx, &orders).await?;
    let skus: BTreeSet<&Sku> = commands.iter().map(|command| &command.sku).collect();
    let mut stock = stock::lock(tx, skus).await?;
    let mut released: Vec<(OrderId, Allocation)> = Vec::new();
    let (mut new, mut failed) = (Vec::new(), Vec::new());
    for (index, command) in commands.iter().enumerate() {
        let ReleaseLineCommand { order, id, sku, pieces, .. } = command;
        if !known.insert(*id) {
            continue;
        }
        let reservation = reservations.get_mut(order);
        match domain::release_line(*order, sku, pieces, reservation, &mut stock) {
            Ok(lines) => {
                released.extend(lines.into_iter().map(|line| (*order, line)));
                new.push(command);
            }
            Err(error) => failed.push((index, error)),
        }
    }
    if !failed.is_empty() || new.is_empty() {
        return Ok(failed);
    }
    let now = clock::now();
    let ids: Vec<_> = new.iter().map(|command| (command.id, command.order)).collect();
    reservations::release_lines(tx, &ids, &released, now).await?;
    let causes: HashMap<_, _> = new.iter().map(|command| (command.order, command.cause)).collect();
    write_for_orders(tx, low, stock, Some(REASON), now, &causes).await?;
    Ok(failed)
}
