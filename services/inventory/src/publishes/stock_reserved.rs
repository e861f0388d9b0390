//! `stock.reserved.v1`: every line of an order is reserved.

use chrono::{DateTime, Utc};
use contracts::inventory::{self, StockReservedV1};
use vocabulary::{InvalidQuantity, OrderId, Quantity};

use crate::domain::Allocation;

pub(crate) fn stock_reserved(
    order_id: OrderId,
    left: Option<i64>,
    allocations: &[Allocation],
    reserved_at: DateTime<Utc>,
) -> StockReservedV1 {
    let allocation = |Allocation { sku, warehouse, quantity }: &Allocation| {
        let quantity = Quantity::try_from(*quantity)?;
        Ok(inventory::Allocation { sku: sku.clone(), warehouse_id: *warehouse, quantity })
    };
    let allocations: Result<_, InvalidQuantity> = allocations.iter().map(allocation).collect();
    // No line has more pieces than a quantity holds.
    StockReservedV1 { order_id, reserved_at, left, allocations: allocations.ok() }
}
