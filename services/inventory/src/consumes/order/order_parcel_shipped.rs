//! `order.parcel_shipped.v1`: deducts the pieces of one of several parcels.

use std::collections::BTreeMap;

use contracts::order::OrderParcelShippedV1;
use messaging::{Batch, Failure, Handler, Transaction};
use vocabulary::Sku;

use crate::{
    app::{DeductParcelCommand, deduct_parcels},
    domain::{Allocation, LowStock, ShippedParcel},
};

#[derive(Debug, Clone, Copy)]
pub(crate) struct DeductParcel(pub(crate) LowStock);

impl Handler for DeductParcel {
    type Event = OrderParcelShippedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<OrderParcelShippedV1>,
    ) -> Result<(), Failure> {
        let commands = batch.delivered().iter().map(|delivery| DeductParcelCommand {
            order: delivery.event.order_id,
            parcel: parcel(&delivery.event),
            cause: delivery.cause,
        });
        let commands: Vec<DeductParcelCommand> = commands.collect();
        for (index, error) in deduct_parcels(tx, self.0, &commands).await? {
            batch.fail(index, Failure::reject("nothing_reserved", error));
        }
        Ok(())
    }
}

/// Adds up the lines with the same SKU.
fn parcel(shipped: &OrderParcelShippedV1) -> ShippedParcel {
    let mut lines: BTreeMap<&Sku, i64> = BTreeMap::new();
    for line in &shipped.lines {
        *lines.entry(&line.sku).or_default() += i64::from(line.quantity.get());
    }
    let warehouse = shipped.warehouse_id;
    let lines = lines.into_iter().map(|(sku, quantity)| Allocation {
        sku: sku.clone(),
        warehouse,
        quantity,
    });
    ShippedParcel { id: shipped.parcel_id, lines: lines.collect() }
}
