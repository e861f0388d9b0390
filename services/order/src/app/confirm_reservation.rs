//! Confirms that inventory reserved the stock of orders. The built-in payment provider settles them at once.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use envelope::trace::TraceContext;
use messaging::{Error, Transaction};
use runtime::clock;
use vocabulary::{InvalidMoney, OrderId, PaymentId, Sku};

use super::order_process::{LockedOrders, OrderProcess, decide};
use crate::{
    domain::{self, CatalogListing, EndReason, Order, OrderStatus, ProcessDeadlines, Transition},
    storage::{offers, orders},
};

pub(crate) struct ConfirmReservationCommand {
    pub(crate) order: OrderId,
    pub(crate) reserved_at: DateTime<Utc>,
    /// How many pieces of the scarcest SKU are still available, if inventory tells.
    pub(crate) left: Option<i64>,
    /// The trace of the reservation.
    pub(crate) cause: Option<TraceContext>,
    /// Whether the order may wait for an unknown price. Otherwise it is cancelled.
    pub(crate) may_wait: bool,
}

/// Inventory knows a SKU that the copy of the catalogue does not contain yet.
#[derive(Debug, thiserror::Error)]
#[error("the price of a SKU of order {0} is not known yet")]
pub(crate) struct PriceUnknown(OrderId);

/// If orders must wait for a price, it changes nothing and returns them by the index of their commands.
pub(crate) async fn confirm_reservations(
    tx: &mut Transaction,
    process: &OrderProcess,
    mut locked: LockedOrders,
    commands: &[ConfirmReservationCommand],
) -> Result<Vec<(usize, PriceUnknown)>, Error> {
    let listings = missing_listings(tx, &locked).await?;
    let now = clock::now();
    let mut transitions = Vec::with_capacity(commands.len());
    let (mut priced, mut waiting) = (Vec::new(), Vec::new());
    for (index, command) in commands.iter().enumerate() {
        let Some(order) = locked.get_mut(&command.order).map(|locked| &mut locked.order) else {
            continue;
        };
        let mut pricing = Ok(());
        if is_unpriced(order) {
            pricing =
                order.fill_prices(|sku| listings.get(sku).map(|listing| listing.offer().clone()));
            if order.total.is_none() && pricing.is_ok() && command.may_wait {
                waiting.push((index, PriceUnknown(command.order)));
                continue;
            }
            if order.total.is_some() {
                priced.push(order.clone());
            }
        }
        transitions.extend(decide(&mut locked, command.order, command.cause, |order| {
            confirm(order, pricing, command, now, process.deadlines())
        }));
    }
    if waiting.is_empty() {
        orders::update_prices(tx, &priced).await?;
        process.record(tx, &transitions, now).await?;
    }
    Ok(waiting)
}

fn confirm(
    order: Order,
    pricing: Result<(), InvalidMoney>,
    command: &ConfirmReservationCommand,
    now: DateTime<Utc>,
    deadlines: &ProcessDeadlines,
) -> Transition {
    let ConfirmReservationCommand { reserved_at, left, .. } = *command;
    match pricing {
        Ok(()) => {
            let payment = PaymentId::new();
            domain::confirm_reservation(order, reserved_at, left, payment, now, deadlines)
        }
        Err(error) => {
            let text = format!("The lines of the order have no total: {error}.");
            let reason = EndReason::new("no_total", &text);
            domain::cancel_unpriced(order, reason, reserved_at, now)
        }
    }
}

fn is_unpriced(order: &Order) -> bool {
    order.status() == OrderStatus::Placed && order.total.is_none()
}

/// The current listings of SKUs that were unknown when their orders were placed. Usually there are no such SKUs.
async fn missing_listings(
    tx: &mut Transaction,
    locked: &LockedOrders,
) -> Result<HashMap<Sku, CatalogListing>, sqlx::Error> {
    let unpriced = locked.values().map(|locked| &locked.order).filter(|order| is_unpriced(order));
    let unknown = unpriced.flat_map(|order| &order.lines).filter(|line| line.offer.is_none());
    let skus: Vec<&str> = unknown.map(|line| line.sku.as_str()).collect();
    if skus.is_empty() { Ok(HashMap::new()) } else { offers::listings(tx, &skus).await }
}
