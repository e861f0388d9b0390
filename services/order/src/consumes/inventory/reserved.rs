//! `stock.reserved.v1`: the order goes on; where the built-in provider pays, it is confirmed in the same transaction.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use contracts::inventory::StockReservedV1;
use messaging::{Batch, Failure, Handler, Transaction};
use runtime::clock;
use vocabulary::{InvalidMoney, OrderId, PaymentId, Sku};

use super::lock;
use crate::{
    domain::{self, Listing, Order, Reason, Status, Taken},
    process::{Caused, Process},
    storage::{
        offers,
        orders::{self, Locked},
    },
};

/// How often an order is tried whose prices the catalogue has not told yet, before it is called off: with the pauses of
/// the kit, some six seconds.
const PATIENCE: u32 = 6;

/// Lets orders go on whose stock is set aside.
pub(crate) struct GoOn(pub(crate) Process);

/// The catalogue has not told of a SKU yet, though inventory knows it: the events of two services do not wait for each
/// other.
#[derive(Debug, thiserror::Error)]
#[error("the price of a SKU of order {0} is not known yet")]
struct NotPricedYet(OrderId);

impl Handler for GoOn {
    type Event = StockReservedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<StockReservedV1>,
    ) -> Result<(), Failure> {
        let Some(mut locked) = lock(tx, batch, |event| event.order_id).await? else {
            return Ok(());
        };
        let listings = listings_of_unpriced(tx, &locked).await?;
        let now = clock::now();
        let mut changes = Vec::with_capacity(batch.delivered().len());
        let mut priced = Vec::new();
        let mut waiting = Vec::new();
        for (index, delivered) in batch.delivered().iter().enumerate() {
            let order_id = delivered.event.order_id;
            let Some(locked) = locked.get_mut(&order_id) else { continue };
            let mut order = locked.order.clone();
            let without_price = is_unpriced(&order);
            let pricing = if without_price { price(&mut order, &listings) } else { Ok(()) };
            if without_price
                && order.total.is_none()
                && pricing.is_ok()
                && delivered.attempts < PATIENCE
            {
                waiting.push((index, order_id));
                continue;
            }
            if without_price && order.total.is_some() {
                priced.push(order.clone());
            }
            let taken = self.decide(order, pricing, delivered.event.reserved_at, now);
            locked.order = taken.order.clone();
            changes.push(Caused { cause: delivered.cause.or(locked.trace), taken });
        }
        if !waiting.is_empty() {
            for (index, order) in waiting {
                batch.refuse(index, Failure::retry(NotPricedYet(order)));
            }
            return Ok(());
        }
        orders::write_prices(tx, &priced).await?;
        Ok(self.0.write(tx, &changes, now).await?)
    }
}

impl GoOn {
    fn decide(
        &self,
        order: Order,
        pricing: Result<(), InvalidMoney>,
        reserved_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Taken {
        match pricing {
            Ok(()) => {
                domain::stock_reserved(order, reserved_at, PaymentId::new(), now, self.0.terms())
            }
            Err(error) => {
                let text = format!("The lines of the order have no total: {error}.");
                domain::unpriceable(order, Reason::new("no_total", &text), reserved_at, now)
            }
        }
    }
}

fn is_unpriced(order: &Order) -> bool {
    order.status() == Status::Placed && order.total.is_none()
}

fn price(order: &mut Order, listings: &HashMap<Sku, Listing>) -> Result<(), InvalidMoney> {
    order.price(|sku| listings.get(sku).map(|listing| listing.offer().clone()))
}

/// What the catalogue says by now of the SKUs that were not known when their orders were placed: mostly there are none.
async fn listings_of_unpriced(
    tx: &mut Transaction,
    locked: &HashMap<OrderId, Locked>,
) -> Result<HashMap<Sku, Listing>, sqlx::Error> {
    let unpriced = locked.values().map(|locked| &locked.order).filter(|order| is_unpriced(order));
    let unknown = unpriced.flat_map(|order| &order.lines).filter(|line| line.offer.is_none());
    let skus: Vec<&str> = unknown.map(|line| line.sku.as_str()).collect();
    if skus.is_empty() { Ok(HashMap::new()) } else { offers::listings(tx, &skus).await }
}
