//! `order.placed.v1`: stock is set aside for the order, or it is rejected.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use contracts::{order::OrderPlacedV1, trace::TraceContext};
use messaging::{Batch, Failure, Handler, Transaction};
use runtime::clock;
use vocabulary::{OrderId, Sku};

use crate::{
    NAME_OF_ORDER,
    domain::{Decision, Reservation, State, Stock},
    publishes::{stock_changed, stock_rejected::stock_rejected, stock_reserved::stock_reserved},
    storage::{reservations, stock},
};

/// How often an order for a SKU that was never heard of is tried before it is rejected. With the kit's pauses that is some
/// six seconds: a product and an order for it may overtake one another, for they come through different queues.
const ATTEMPTS: u32 = 6;

/// Sets stock aside.
#[derive(Debug, Clone, Copy)]
pub struct ReserveStock;

/// Why an order is tried again.
#[derive(Debug, thiserror::Error)]
#[error("the SKU {0} was never heard of")]
struct NeverHeardOf(Sku);

/// What an order wants.
struct Wish {
    order: OrderId,
    cause: Option<TraceContext>,
    lines: BTreeMap<Sku, i64>,
}

impl Handler for ReserveStock {
    type Event = OrderPlacedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<OrderPlacedV1>,
    ) -> Result<(), Failure> {
        let wishes: Vec<Wish> =
            batch.delivered().iter().map(|placed| wish(placed.cause, &placed.event)).collect();
        let skus: BTreeSet<&Sku> = wishes.iter().flat_map(|wish| wish.lines.keys()).collect();
        let stock = stock::lock(tx, skus).await?;
        if refuse_what_may_be_heard_of_yet(batch, &wishes, &stock) {
            return Ok(());
        }
        reserve(tx, stock, wishes).await
    }
}

fn wish(cause: Option<TraceContext>, placed: &OrderPlacedV1) -> Wish {
    let mut lines = BTreeMap::new();
    for line in &placed.lines {
        *lines.entry(line.sku.clone()).or_default() += i64::from(line.quantity.get());
    }
    Wish { order: placed.order_id, cause, lines }
}

/// Refuses the orders for SKUs that were never heard of, as long as they may still be; says whether there were any.
fn refuse_what_may_be_heard_of_yet(
    batch: &mut Batch<OrderPlacedV1>,
    wishes: &[Wish],
    stock: &Stock,
) -> bool {
    let mut any = false;
    for (index, wish) in wishes.iter().enumerate() {
        let unknown = wish.lines.keys().find(|sku| stock.level(sku).is_none());
        if let Some(sku) = unknown
            && batch.delivered()[index].attempts < ATTEMPTS
        {
            batch.refuse(index, Failure::retry(NeverHeardOf(sku.clone())));
            any = true;
        }
    }
    any
}

async fn reserve(tx: &mut Transaction, mut stock: Stock, wishes: Vec<Wish>) -> Result<(), Failure> {
    let now = clock::now();
    let mut made = Vec::new();
    let (mut causes, mut rejected) = (HashMap::new(), 0);
    for Wish { order, cause, lines } in wishes {
        match stock.reserve(order, &lines) {
            Decision::Reserved(allocations) => {
                tx.emit_caused_by(cause, &stock_reserved(order, now))?;
                made.push(Reservation { order, state: State::Reserved, allocations });
                causes.insert(order, cause);
            }
            Decision::Rejected(shortages) => {
                tx.emit_caused_by(cause, &stock_rejected(order, shortages, now))?;
                rejected += 1;
            }
        }
    }
    let changes = stock.finish();
    stock::write(tx, &changes, NAME_OF_ORDER, None, now).await?;
    reservations::insert(tx, &made, now).await?;
    let cause_of = |order| causes.get(&order).copied().flatten();
    stock_changed::say(tx, &changes, now, |movement| movement.order.and_then(cause_of))?;
    let reserved = u64::try_from(made.len()).unwrap_or_default();
    tx.after_commit(move || {
        metrics::counter!("inventory_orders_total", "outcome" => "reserved").increment(reserved);
        metrics::counter!("inventory_orders_total", "outcome" => "rejected").increment(rejected);
    });
    Ok(())
}
