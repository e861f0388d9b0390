//! The order process at work: what was decided is written, said, and told to whoever waits for it in this process; and the
//! clock that owns every deadline.

mod alarm;
mod aside;
mod clock;
mod told;
mod watchers;

use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, Utc};
use contracts::trace::TraceContext;
use messaging::{Error, Transaction};
use vocabulary::OrderId;

pub(crate) use self::watchers::Watch;
use self::{alarm::Alarm, watchers::Watchers};
use crate::{
    domain::{Happening, Order, Status, Taken, Terms},
    publishes,
    storage::{orders, payments, shipments, timeline},
};

/// What everything that moves orders shares within this process. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Process {
    terms: Arc<Terms>,
    watchers: Watchers,
    alarm: Alarm,
}

/// What happened to an order, and the trace that it belongs to.
#[derive(Debug, Clone)]
pub(crate) struct Caused {
    pub(crate) cause: Option<TraceContext>,
    pub(crate) taken: Taken,
}

impl Process {
    /// A process under these terms.
    pub fn new(terms: Terms) -> Self {
        Self { terms: Arc::new(terms), ..Self::default() }
    }

    /// How long it waits for what.
    pub(crate) fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Tells of changes of `order`, from now on.
    pub(crate) fn watch(&self, order: OrderId) -> Watch {
        self.watchers.watch(order)
    }

    /// Writes what happened to orders whose rows are locked, and says it.
    pub(crate) async fn write(
        &self,
        tx: &mut Transaction,
        changes: &[Caused],
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        // An order that moved twice is written once, as it is in the end.
        let moved = changes.iter().map(|change| &change.taken).filter(|taken| taken.moved);
        let moved: HashMap<OrderId, &Order> =
            moved.map(|taken| (taken.order.id, &taken.order)).collect();
        if !moved.is_empty() {
            let moved: Vec<&Order> = moved.into_values().collect();
            orders::write(tx, &moved, now).await?;
        }
        let entries = || {
            changes.iter().flat_map(|change| {
                change.taken.entries.iter().map(|entry| (&change.taken.order, &entry.what))
            })
        };
        let mut made = Vec::new();
        let mut refunded = Vec::new();
        let mut shipped = Vec::new();
        let mut delivered = Vec::new();
        for (order, what) in entries() {
            match what {
                Happening::PaymentApproved(payment) | Happening::PaymentDeclined(payment) => {
                    made.push((order, payment));
                }
                Happening::PaymentRefunded(payment) => refunded.push(*payment),
                Happening::Shipped(parcel) => shipped.push((order.id, parcel)),
                Happening::Delivered => delivered.push(order.id),
                Happening::Placed
                | Happening::StockReserved
                | Happening::StockRejected(_)
                | Happening::StockReleased
                | Happening::StockDeducted
                | Happening::Confirmed(_)
                | Happening::Rejected(_)
                | Happening::PaymentFailed(_)
                | Happening::Expired(_)
                | Happening::Cancelled(_) => {}
            }
        }
        payments::insert(tx, &made, now).await?;
        payments::refund(tx, &refunded, now).await?;
        shipments::insert(tx, &shipped, now).await?;
        shipments::deliver(tx, &delivered, now).await?;
        self.tell(tx, changes).await
    }

    /// Writes the timeline of what happened, says it to other services, and, once it is committed, wakes who waits for it
    /// here: watchers of the orders, and the clock if a deadline is nearer than it knows.
    pub(crate) async fn tell(&self, tx: &mut Transaction, changes: &[Caused]) -> Result<(), Error> {
        let mut entries = Vec::new();
        for Caused { cause, taken } in changes {
            for entry in &taken.entries {
                entries.push(told::told(&taken.order, entry));
                publishes::say(tx, *cause, &taken.order, entry)?;
            }
        }
        if entries.is_empty() {
            return Ok(());
        }
        timeline::append(tx, &entries).await?;
        let orders = changes.iter().map(|change| &change.taken.order);
        let orders: Vec<(OrderId, Status)> =
            orders.map(|order| (order.id, order.status())).collect();
        let moved = changes.iter().map(|change| &change.taken).filter(|taken| taken.moved);
        let statuses: Vec<_> = moved.clone().map(|taken| taken.order.status()).collect();
        let due = moved.filter_map(|taken| taken.order.state.due()).min();
        let process = self.clone();
        tx.after_commit(move || {
            process.watchers.wake(&orders);
            if let Some(due) = due {
                process.alarm.set(due);
            }
            for status in statuses {
                metrics::counter!("orders_total", "status" => status.as_str()).increment(1);
            }
        });
        Ok(())
    }
}
