//! Reserves stock for placed orders, or rejects them.

use std::collections::{BTreeSet, HashMap};

use envelope::trace::TraceContext;
use messaging::Transaction;
use runtime::clock;
use vocabulary::Sku;

use super::write_stock::write_for_orders;
use crate::{
    domain::{
        LowStock, Reservation, ReservationDecision, ReservationRequest, ReservationState,
        UnknownSku,
    },
    publishes::{stock_rejected, stock_reserved},
    storage::{reservations, stock},
};

pub(crate) struct ReserveStockCommand {
    pub(crate) request: ReservationRequest,
    /// The trace of the event that placed the order.
    pub(crate) cause: Option<TraceContext>,
    /// Whether the order may wait for an unknown SKU. Otherwise it is rejected.
    pub(crate) may_wait: bool,
}

/// Reserves or rejects each order. If orders must wait for an unknown SKU, it changes nothing and returns
/// them by index.
pub(crate) async fn reserve_stock(
    tx: &mut Transaction,
    low: LowStock,
    commands: &[ReserveStockCommand],
) -> Result<Vec<(usize, UnknownSku)>, messaging::Error> {
    let skus: BTreeSet<&Sku> =
        commands.iter().flat_map(|command| command.request.lines.keys()).collect();
    let mut stock = stock::lock(tx, skus).await?;
    let waiting: Vec<(usize, UnknownSku)> = commands
        .iter()
        .enumerate()
        .filter(|(_, command)| command.may_wait)
        .filter_map(|(index, command)| Some((index, stock.unknown_sku(&command.request)?)))
        .collect();
    if !waiting.is_empty() {
        return Ok(waiting);
    }

    let now = clock::now();
    let mut reservations = Vec::new();
    let (mut causes, mut rejected) = (HashMap::new(), 0);
    for ReserveStockCommand { request, cause, .. } in commands {
        let order = request.order;
        match stock.reserve(request) {
            ReservationDecision::Reserved(allocations) => {
                let left = stock.fewest_available(request);
                tx.emit_caused_by(*cause, &stock_reserved(order, left, &allocations, now))?;
                let state = ReservationState::Reserved;
                reservations.push(Reservation { order, state, allocations });
                causes.insert(order, *cause);
            }
            ReservationDecision::Rejected(shortages) => {
                tx.emit_caused_by(*cause, &stock_rejected(order, shortages, now))?;
                rejected += 1;
            }
        }
    }
    reservations::insert(tx, &reservations, now).await?;
    write_for_orders(tx, low, stock, None, now, &causes).await?;
    let reserved = u64::try_from(reservations.len()).unwrap_or_default();
    tx.after_commit(move || {
        metrics::counter!("inventory_orders_total", "outcome" => "reserved").increment(reserved);
        metrics::counter!("inventory_orders_total", "outcome" => "rejected").increment(rejected);
    });
    Ok(waiting)
}
