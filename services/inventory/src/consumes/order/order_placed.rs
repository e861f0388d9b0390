//! `order.placed.v1`: reserves stock for the order, or rejects it.

use std::collections::BTreeMap;

use contracts::order::{Destination, OrderPlacedV1};
use messaging::{Batch, Failure, Handler, Transaction};

use crate::{
    app::{ReserveStockCommand, reserve_stock},
    domain::{LowStock, Region, ReservationRequest},
};

/// The attempts before an order for an unknown SKU is rejected: about six seconds. Product events come
/// through another queue, so an order may overtake the event that registers its SKU.
const UNKNOWN_SKU_ATTEMPTS: u32 = 6;

#[derive(Debug, Clone, Copy)]
pub(crate) struct ReserveStock(pub(crate) LowStock);

impl Handler for ReserveStock {
    type Event = OrderPlacedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<OrderPlacedV1>,
    ) -> Result<(), Failure> {
        let commands = batch.delivered().iter().map(|delivery| ReserveStockCommand {
            request: request(&delivery.event),
            cause: delivery.cause,
            may_wait: delivery.attempts < UNKNOWN_SKU_ATTEMPTS,
        });
        let commands: Vec<ReserveStockCommand> = commands.collect();
        for (index, unknown) in reserve_stock(tx, self.0, &commands).await? {
            batch.fail(index, Failure::retry(unknown));
        }
        Ok(())
    }
}

/// Adds up the lines with the same SKU. A destination that is no region is not known.
fn request(placed: &OrderPlacedV1) -> ReservationRequest {
    let mut lines = BTreeMap::new();
    for line in &placed.lines {
        *lines.entry(line.sku.clone()).or_default() += i64::from(line.quantity.get());
    }
    let destination = placed.destination.as_ref();
    let destination = destination.and_then(|Destination { country, region }| {
        Region::new(country, region.as_deref()).or_else(|_| Region::new(country, None)).ok()
    });
    ReservationRequest { order: placed.order_id, lines, destination }
}
