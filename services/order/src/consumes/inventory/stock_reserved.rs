//! `stock.reserved.v1`

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use contracts::inventory::StockReservedV1;
use messaging::{Batch, Failure, Handler, Transaction};
use runtime::clock;
use vocabulary::{InvalidMoney, OrderId, PaymentId, Sku};

use super::lock_orders;
use crate::{
    app::order_process::{OrderProcess, TracedTransition},
    domain::{self, CatalogListing, EndReason, Order, OrderStatus, Transition},
    storage::{
        offers,
        orders::{self, LockedOrder},
    },
};

/// The number of deliveries after which an order without prices is cancelled: about six seconds, with the retry delays
/// of the consumer.
const MAX_ATTEMPTS: u32 = 6;

/// Reserves the order; the built-in payment provider settles it in the same transaction.
pub(crate) struct ConfirmReservation(pub(crate) OrderProcess);

/// Inventory knows a SKU that the copy of the catalogue does not contain yet.
#[derive(Debug, thiserror::Error)]
#[error("the price of a SKU of order {0} is not known yet")]
struct PriceUnknown(OrderId);

impl Handler for ConfirmReservation {
    type Event = StockReservedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<StockReservedV1>,
    ) -> Result<(), Failure> {
        let Some(mut locked) = lock_orders(tx, batch, |event| event.order_id).await? else {
            return Ok(());
        };
        let listings = missing_listings(tx, &locked).await?;
        let now = clock::now();
        let mut transitions = Vec::with_capacity(batch.delivered().len());
        let mut priced = Vec::new();
        let mut waiting = Vec::new();
        for (index, delivered) in batch.delivered().iter().enumerate() {
            let order_id = delivered.event.order_id;
            let Some(locked) = locked.get_mut(&order_id) else { continue };
            let mut order = locked.order.clone();
            let was_unpriced = is_unpriced(&order);
            let pricing = if was_unpriced { price(&mut order, &listings) } else { Ok(()) };
            if was_unpriced
                && order.total.is_none()
                && pricing.is_ok()
                && delivered.attempts < MAX_ATTEMPTS
            {
                waiting.push((index, order_id));
                continue;
            }
            if was_unpriced && order.total.is_some() {
                priced.push(order.clone());
            }
            let transition = self.decide(order, pricing, delivered.event.reserved_at, now);
            locked.order = transition.order.clone();
            transitions
                .push(TracedTransition { trace: delivered.cause.or(locked.trace), transition });
        }
        if !waiting.is_empty() {
            for (index, order) in waiting {
                batch.refuse(index, Failure::retry(PriceUnknown(order)));
            }
            return Ok(());
        }
        orders::update_prices(tx, &priced).await?;
        Ok(self.0.record(tx, &transitions, now).await?)
    }
}

impl ConfirmReservation {
    fn decide(
        &self,
        order: Order,
        pricing: Result<(), InvalidMoney>,
        reserved_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Transition {
        match pricing {
            Ok(()) => {
                let deadlines = self.0.deadlines();
                domain::confirm_reservation(order, reserved_at, PaymentId::new(), now, deadlines)
            }
            Err(error) => {
                let text = format!("The lines of the order have no total: {error}.");
                let reason = EndReason::new("no_total", &text);
                domain::cancel_unpriced(order, reason, reserved_at, now)
            }
        }
    }
}

fn is_unpriced(order: &Order) -> bool {
    order.status() == OrderStatus::Placed && order.total.is_none()
}

fn price(order: &mut Order, listings: &HashMap<Sku, CatalogListing>) -> Result<(), InvalidMoney> {
    order.fill_prices(|sku| listings.get(sku).map(|listing| listing.offer().clone()))
}

/// The current listings of SKUs that were unknown when their orders were placed. Usually there are no such SKUs.
async fn missing_listings(
    tx: &mut Transaction,
    locked: &HashMap<OrderId, LockedOrder>,
) -> Result<HashMap<Sku, CatalogListing>, sqlx::Error> {
    let unpriced = locked.values().map(|locked| &locked.order).filter(|order| is_unpriced(order));
    let unknown = unpriced.flat_map(|order| &order.lines).filter(|line| line.offer.is_none());
    let skus: Vec<&str> = unknown.map(|line| line.sku.as_str()).collect();
    if skus.is_empty() { Ok(HashMap::new()) } else { offers::listings(tx, &skus).await }
}
