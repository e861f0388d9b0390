//! Takes back pieces that customers have returned.

use std::collections::{BTreeSet, HashMap};

use envelope::trace::TraceContext;
use messaging::Transaction;
use runtime::clock;
use vocabulary::{OrderId, ReturnId, Sku, WarehouseId};

use super::write_stock::write_for_orders;
use crate::{
    domain::{Allocation, DEFAULT_WAREHOUSE, LowStock, UnknownSku},
    storage::{returns, stock, warehouses},
};

pub(crate) struct ReceiveReturnCommand {
    pub(crate) order: OrderId,
    pub(crate) id: ReturnId,
    /// Where the pieces are, if that is known.
    pub(crate) warehouse: Option<WarehouseId>,
    /// What can be sold again; each SKU once.
    pub(crate) restocked: Vec<(Sku, i64)>,
    /// What cannot be sold any more; each SKU once.
    pub(crate) written_off: Vec<(Sku, i64)>,
    /// The trace of the event.
    pub(crate) cause: Option<TraceContext>,
}

/// Takes each return back once. Pieces of a warehouse that does not exist go to the main one: they have arrived, and a person can move
/// them. If some SKUs are unknown, nothing changes; their returns are named by index.
pub(crate) async fn receive_returns(
    tx: &mut Transaction,
    low: LowStock,
    commands: &[ReceiveReturnCommand],
) -> Result<Vec<(usize, UnknownSku)>, messaging::Error> {
    let named: Vec<WarehouseId> = commands.iter().filter_map(|command| command.warehouse).collect();
    let existing = warehouses::existing(tx, &named).await?;
    let ids: Vec<ReturnId> = commands.iter().map(|command| command.id).collect();
    let mut known = returns::received(tx, &ids).await?;
    let lines =
        commands.iter().flat_map(|command| command.restocked.iter().chain(&command.written_off));
    let skus: BTreeSet<&Sku> = lines.map(|(sku, _)| sku).collect();
    let mut stock = stock::lock(tx, skus).await?;
    let (mut received, mut failed) = (Vec::new(), Vec::new());
    for (index, command) in commands.iter().enumerate() {
        if !known.insert(command.id) {
            continue;
        }
        let warehouse = command.warehouse.filter(|named| existing.contains(named));
        if warehouse.is_none() && command.warehouse.is_some() {
            tracing::warn!(order = %command.order, id = %command.id, "a return arrived in an unknown warehouse; it goes to the main one");
        }
        let warehouse = warehouse.unwrap_or(DEFAULT_WAREHOUSE.into());
        let (restocked, written_off) = (
            allocations(&command.restocked, warehouse),
            allocations(&command.written_off, warehouse),
        );
        match stock.take_back(command.order, &restocked, &written_off) {
            Ok(()) => received.push(command),
            Err(unknown) => failed.push((index, unknown)),
        }
    }
    if !failed.is_empty() || received.is_empty() {
        return Ok(failed);
    }
    let now = clock::now();
    let ids: Vec<_> = received.iter().map(|command| (command.id, command.order)).collect();
    returns::insert(tx, &ids, now).await?;
    let causes: HashMap<_, _> =
        received.iter().map(|command| (command.order, command.cause)).collect();
    write_for_orders(tx, low, stock, None, now, &causes).await?;
    Ok(failed)
}

fn allocations(lines: &[(Sku, i64)], warehouse: WarehouseId) -> Vec<Allocation> {
    let line = |(sku, quantity): &(Sku, i64)| Allocation {
        sku: sku.clone(),
        warehouse,
        quantity: *quantity,
    };
    lines.iter().map(line).collect()
}
