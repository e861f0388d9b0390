//! Deducts single parcels of orders that ship in several.

use std::collections::BTreeSet;

use envelope::trace::TraceContext;
use messaging::Transaction;
use runtime::clock;
use vocabulary::{OrderId, ParcelId, Sku};

use super::write_stock::write_for_orders;
use crate::{
    domain::{
        self, LowStock, ParcelDeduction, ReservationError, ReservationOutcome, ReservationState,
        ShippedParcel,
    },
    publishes::stock_deducted,
    storage::{reservations, stock},
};

pub(crate) struct DeductParcelCommand {
    pub(crate) order: OrderId,
    pub(crate) parcel: ShippedParcel,
    /// The trace of the event that shipped the parcel.
    pub(crate) cause: Option<TraceContext>,
}

/// Deducts each parcel once, and publishes the end of the reservations that hold nothing any more. If some parcels cannot be deducted,
/// nothing changes; they are returned by index.
pub(crate) async fn deduct_parcels(
    tx: &mut Transaction,
    low: LowStock,
    commands: &[DeductParcelCommand],
) -> Result<Vec<(usize, ReservationError)>, messaging::Error> {
    let orders: Vec<OrderId> = commands.iter().map(|command| command.order).collect();
    let parcels: Vec<ParcelId> = commands.iter().map(|command| command.parcel.id).collect();
    let mut known = reservations::deducted_parcels(tx, &parcels).await?;
    let mut reservations = reservations::of_orders(tx, &orders).await?;
    let lines = commands.iter().flat_map(|command| &command.parcel.lines);
    let skus: BTreeSet<&Sku> = lines.map(|line| &line.sku).collect();
    let mut stock = stock::lock(tx, skus).await?;
    let (mut deducted, mut closed, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for (index, command) in commands.iter().enumerate() {
        let DeductParcelCommand { order, parcel, .. } = command;
        let (is_known, reservation) = (known.contains(&parcel.id), reservations.get_mut(order));
        match domain::deduct_parcel(*order, parcel, is_known, reservation, &mut stock) {
            Ok(ParcelDeduction::Unchanged) => {}
            Ok(deduction) => {
                known.insert(parcel.id);
                deducted.push(command);
                if deduction == ParcelDeduction::Last {
                    closed.push(command);
                }
            }
            Err(error) => failed.push((index, error)),
        }
    }
    if !failed.is_empty() || deducted.is_empty() {
        return Ok(failed);
    }
    let now = clock::now();
    let lines: Vec<_> = deducted.iter().map(|command| (command.order, &command.parcel)).collect();
    reservations::deduct_parcels(tx, &lines, now).await?;
    let ids: Vec<OrderId> = closed.iter().map(|command| command.order).collect();
    reservations::close(tx, &ids, ReservationState::Deducted, now).await?;
    for DeductParcelCommand { order, cause, .. } in &closed {
        tx.emit_caused_by(*cause, &stock_deducted(*order, now))?;
    }
    let causes = deducted.iter().map(|command| (command.order, command.cause)).collect();
    write_for_orders(tx, low, stock, ReservationOutcome::Deducted.reason(), now, &causes).await?;
    let count = u64::try_from(closed.len()).unwrap_or_default();
    tx.after_commit(move || {
        metrics::counter!("inventory_orders_total", "outcome" => "deducted").increment(count);
    });
    Ok(failed)
}
