//! Releases the reservations of orders that ended, or deducts those of shipped orders.

use std::collections::{BTreeSet, HashMap};

use envelope::trace::TraceContext;
use messaging::Transaction;
use runtime::clock;
use vocabulary::{OrderId, Sku};

use super::write_stock::write_for_orders;
use crate::{
    domain::{self, LowStock, ReservationError, ReservationOutcome, Stock},
    publishes::{stock_deducted, stock_released},
    storage::{reservations, stock},
};

pub(crate) struct ReleaseOrDeductCommand {
    pub(crate) order: OrderId,
    /// The trace of the event that ended the order.
    pub(crate) cause: Option<TraceContext>,
}

/// Gives the reservation of each order the same outcome. If some cannot reach it, nothing changes; they are
/// returned by index.
pub(crate) async fn release_or_deduct(
    tx: &mut Transaction,
    low: LowStock,
    commands: &[ReleaseOrDeductCommand],
    outcome: ReservationOutcome,
) -> Result<Vec<(usize, ReservationError)>, messaging::Error> {
    let orders: Vec<OrderId> = commands.iter().map(|command| command.order).collect();
    let mut reservations = reservations::of_orders(tx, &orders).await?;
    let mut stock = if reservations.is_empty() {
        Stock::default()
    } else {
        let allocations = reservations.values().flat_map(|reservation| &reservation.allocations);
        let skus: BTreeSet<&Sku> = allocations.map(|allocation| &allocation.sku).collect();
        stock::lock(tx, skus).await?
    };
    let (mut closed, mut failed) = (Vec::new(), Vec::new());
    for (index, command) in commands.iter().enumerate() {
        let (order, reservation) = (command.order, reservations.get_mut(&command.order));
        match domain::release_or_deduct(order, reservation, outcome, &mut stock) {
            Ok(true) => closed.push(command),
            Ok(false) => {}
            Err(error) => failed.push((index, error)),
        }
    }
    if failed.is_empty() && !closed.is_empty() {
        write(tx, low, stock, &closed, outcome).await?;
    }
    Ok(failed)
}

async fn write(
    tx: &mut Transaction,
    low: LowStock,
    stock: Stock,
    closed: &[&ReleaseOrDeductCommand],
    outcome: ReservationOutcome,
) -> Result<(), messaging::Error> {
    let now = clock::now();
    let orders: Vec<OrderId> = closed.iter().map(|command| command.order).collect();
    reservations::close(tx, &orders, outcome.state(), now).await?;
    let mut causes = HashMap::new();
    for ReleaseOrDeductCommand { order, cause } in closed {
        match outcome {
            ReservationOutcome::Released { .. } => {
                tx.emit_caused_by(*cause, &stock_released(*order, now))?
            }
            ReservationOutcome::Deducted => {
                tx.emit_caused_by(*cause, &stock_deducted(*order, now))?
            }
        };
        causes.insert(*order, *cause);
    }
    write_for_orders(tx, low, stock, outcome.reason(), now, &causes).await?;
    let (state, count) = (outcome.state(), u64::try_from(closed.len()).unwrap_or_default());
    tx.after_commit(move || {
        metrics::counter!("inventory_orders_total", "outcome" => state.as_str()).increment(count);
    });
    Ok(())
}
