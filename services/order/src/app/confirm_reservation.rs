//! Confirms that inventory reserved the stock of orders. The built-in payment provider settles them at once.

use std::{collections::HashMap, iter};

use chrono::{DateTime, Utc};
use envelope::trace::TraceContext;
use messaging::{Error, Transaction};
use runtime::clock;
use vocabulary::{OrderId, ParcelId, PaymentId, Sku};

use super::{
    order_costs::{OrderCosts, UsesFor, WantedOrder},
    order_process::{LockedOrders, OrderProcess, decide},
};
use crate::{
    domain::{
        self, Address, Allocation, CatalogListing, EndReason, Order, OrderStatus, Parcels,
        ProcessDeadlines, StockReservation, Transition, costs::CostsError,
    },
    storage::{offers, orders},
};

pub(crate) struct ConfirmReservationCommand {
    pub(crate) order: OrderId,
    pub(crate) reserved_at: DateTime<Utc>,
    /// How many pieces of the scarcest SKU are still available, if inventory tells.
    pub(crate) left: Option<i64>,
    /// Which warehouse holds what, if inventory tells.
    pub(crate) allocations: Vec<Allocation>,
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
    let now = clock::now();
    let pricing = LatePricing::load(tx, process, &locked, now).await?;
    let mut transitions = Vec::with_capacity(commands.len());
    let (mut priced, mut waiting) = (Vec::new(), Vec::new());
    for (index, command) in commands.iter().enumerate() {
        let Some(order) = locked.get_mut(&command.order).map(|locked| &mut locked.order) else {
            continue;
        };
        let mut priced_late = Ok(());
        if is_unpriced(order)
            && let Some(pricing) = &pricing
        {
            priced_late = pricing.price(order);
            if order.costs.is_none() && priced_late.is_ok() && command.may_wait {
                waiting.push((index, PriceUnknown(command.order)));
                continue;
            }
            if order.costs.is_some() {
                priced.push(order.clone());
            }
        }
        transitions.extend(decide(&mut locked, command.order, command.cause, |order| {
            confirm(order, priced_late, command, now, process.deadlines())
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
    pricing: Result<(), CostsError>,
    command: &ConfirmReservationCommand,
    now: DateTime<Utc>,
    deadlines: &ProcessDeadlines,
) -> Transition {
    let ConfirmReservationCommand { reserved_at, left, allocations, .. } = command;
    let (reserved_at, left) = (*reserved_at, *left);
    match pricing {
        Ok(()) => {
            let payment = PaymentId::new();
            let parcels = Parcels::of(&order.lines, allocations, ParcelId::new);
            let reservation = StockReservation { reserved_at, left, parcels };
            domain::confirm_reservation(order, reservation, payment, now, deadlines)
        }
        Err(error) => {
            let text = format!("The lines of the order have no total: {error}.");
            let reason = EndReason::new("no_total", &text);
            domain::cancel_unpriced(order, reason, reserved_at, now)
        }
    }
}

fn is_unpriced(order: &Order) -> bool {
    order.status() == OrderStatus::Placed && order.costs.is_none()
}

/// What orders need whose prices were unknown when they were placed. Usually there are no such orders.
struct LatePricing {
    listings: HashMap<Sku, CatalogListing>,
    costs: OrderCosts,
    addresses: HashMap<OrderId, Address>,
}

impl LatePricing {
    async fn load(
        tx: &mut Transaction,
        process: &OrderProcess,
        locked: &LockedOrders,
        now: DateTime<Utc>,
    ) -> Result<Option<Self>, sqlx::Error> {
        let unpriced = locked.values().map(|locked| &locked.order);
        let unpriced: Vec<&Order> = unpriced.filter(|order| is_unpriced(order)).collect();
        if unpriced.is_empty() {
            return Ok(None);
        }
        let lines = unpriced.iter().flat_map(|order| &order.lines);
        let unknown = lines.filter(|line| line.offer.is_none());
        let skus: Vec<&str> = unknown.map(|line| line.sku.as_str()).collect();
        let listings = offers::listings(tx, &skus).await?;
        let orders: Vec<OrderId> = unpriced.iter().map(|order| order.id).collect();
        let addresses = orders::addresses(tx, &orders).await?;
        let rules = process.cost_rules().at(tx, listings.rules).await?;
        // The uses of promotions are not known, so those that are bounded do not apply. Such an order has no coupon.
        let costs = OrderCosts::load(tx, rules, iter::empty(), UsesFor::Quoting, now).await?;
        Ok(Some(Self { listings: listings.by_sku, costs, addresses }))
    }

    fn price(&self, order: &mut Order) -> Result<(), CostsError> {
        order.fill_offers(|sku| self.listings.get(sku).map(|listing| listing.offer().clone()));
        let Some(address) = self.addresses.get(&order.id) else { return Ok(()) };
        order.costs = self.costs.of(WantedOrder {
            customer: order.customer,
            lines: &order.lines,
            destination: address.into(),
            coupon: None,
        })?;
        Ok(())
    }
}
