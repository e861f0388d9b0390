//! What all events have in common that end reservations.

use std::collections::{BTreeSet, HashMap};

use contracts::{Event, trace::TraceContext};
use messaging::{Batch, Failure, Transaction};
use runtime::clock;
use vocabulary::{OrderId, Sku};

use crate::{
    NAME_OF_ORDER,
    domain::{Reservation, State, Stock},
    publishes::{stock_changed, stock_deducted::stock_deducted, stock_released::stock_released},
    storage::{reservations, stock},
};

/// How reservations end.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ending {
    /// The order will not be shipped, for this reason: what is set aside for it is freed. An order for which nothing is set
    /// aside is nothing to do.
    Release(&'static str),
    /// The order was shipped: what is set aside for it is taken away. An order for which nothing is set aside is an error.
    Deduct,
}

/// Why nothing was deducted for an order that was shipped.
#[derive(Debug, thiserror::Error)]
#[error("nothing was ever reserved for order {0}")]
struct NeverReserved(OrderId);

/// An order whose reservation is to end.
struct Ended {
    order: OrderId,
    cause: Option<TraceContext>,
}

/// Ends the reservations of the orders of `batch`.
pub(super) async fn close<E: Event>(
    tx: &mut Transaction,
    batch: &mut Batch<E>,
    ending: Ending,
    order_of: impl Fn(&E) -> OrderId,
) -> Result<(), Failure> {
    let delivered = batch.delivered().iter();
    let ended: Vec<Ended> =
        delivered.map(|one| Ended { order: order_of(&one.event), cause: one.cause }).collect();
    let orders: Vec<OrderId> = ended.iter().map(|ended| ended.order).collect();
    let mut reservations = reservations::of_orders(tx, &orders).await?;
    let mut stock = if reservations.is_empty() {
        Stock::default()
    } else {
        let allocations = reservations.values().flat_map(|reservation| &reservation.allocations);
        let skus: BTreeSet<&Sku> = allocations.map(|allocation| &allocation.sku).collect();
        stock::lock(tx, skus).await?
    };
    let mut closed = Vec::new();
    let mut refused = false;
    for (index, one) in ended.into_iter().enumerate() {
        match end(reservations.get_mut(&one.order), one.order, ending, &mut stock) {
            Ok(true) => closed.push(one),
            Ok(false) => {}
            Err(failure) => {
                batch.refuse(index, failure);
                refused = true;
            }
        }
    }
    if refused { Ok(()) } else { write(tx, stock, &closed, ending).await }
}

/// Ends one reservation and says whether there was anything to end.
fn end(
    reservation: Option<&mut Reservation>,
    order: OrderId,
    ending: Ending,
    stock: &mut Stock,
) -> Result<bool, Failure> {
    match (ending, reservation) {
        (Ending::Release(_), None) => Ok(false),
        (Ending::Release(_), Some(reservation)) => {
            let released = reservation.release(stock);
            released.map_err(|error| Failure::reject("inconsistent_reservation", error))
        }
        (Ending::Deduct, None) => Err(Failure::reject("nothing_reserved", NeverReserved(order))),
        (Ending::Deduct, Some(reservation)) => {
            let deducted = reservation.deduct(stock);
            deducted.map_err(|error| Failure::reject("nothing_reserved", error))
        }
    }
}

/// Writes the closed reservations and what moved with them, and says so.
async fn write(
    tx: &mut Transaction,
    stock: Stock,
    closed: &[Ended],
    ending: Ending,
) -> Result<(), Failure> {
    if closed.is_empty() {
        return Ok(());
    }
    let now = clock::now();
    let orders: Vec<OrderId> = closed.iter().map(|ended| ended.order).collect();
    let changes = stock.finish();
    let (state, reason) = match ending {
        Ending::Release(reason) => (State::Released, Some(reason)),
        Ending::Deduct => (State::Deducted, None),
    };
    stock::write(tx, &changes, NAME_OF_ORDER, reason, now).await?;
    reservations::close(tx, &orders, state, now).await?;
    let mut causes = HashMap::new();
    for Ended { order, cause } in closed {
        match ending {
            Ending::Release(_) => tx.emit_caused_by(*cause, &stock_released(*order, now))?,
            Ending::Deduct => tx.emit_caused_by(*cause, &stock_deducted(*order, now))?,
        };
        causes.insert(*order, *cause);
    }
    let cause_of = |order| causes.get(&order).copied().flatten();
    stock_changed::say(tx, &changes, now, |movement| movement.order.and_then(cause_of))?;
    let count = u64::try_from(closed.len()).unwrap_or_default();
    tx.after_commit(move || {
        metrics::counter!("inventory_orders_total", "outcome" => state.as_str()).increment(count);
    });
    Ok(())
}
