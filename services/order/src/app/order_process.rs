//! Records transitions of orders, publishes their events and notifies waiters of this process.

use std::{collections::HashMap, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use envelope::trace::{self, TraceContext};
use messaging::{Error, Transaction};
use runtime::watchers::{KeyedWatcher, KeyedWatchers};
use vocabulary::{Money, OrderId, PaymentId, RefundId};

use super::{
    cost_rules::CostRuleCache, deadline_waker::DeadlineWaker, order_ids::OrderIds,
    priority_customers::PriorityCustomerCache, worker_waker::WorkerWaker,
    write_webhooks::write_order_webhooks,
};
use crate::{
    domain::{
        Order, OrderEvent, OrderEventKind, OrderLimits, OrderStatus, Parcels, PaymentState,
        ProcessDeadlines, Transition,
    },
    publishes,
    storage::{
        order_refunds,
        orders::{self, LockedOrder},
        payments, promotion_uses, provider_requests, shipments, timeline,
    },
};

/// The maximum number of concurrent long polls and event streams of a process.
const MAX_WATCHERS: usize = 100_000;

/// The default time after the delivery in which customers may announce returns: longer than any law that we know asks for, which is 14
/// days in the European Union and 7 in China, and short enough that the goods can be sold again.
pub(crate) const RETURN_WINDOW: Duration = Duration::from_hours(30 * 24);

/// A long poll or event stream that waits for changes of an order.
pub(crate) type OrderWatcher = KeyedWatcher<OrderId, OrderChange>;

/// A committed change of an order.
#[derive(Debug, Clone)]
pub(crate) struct OrderChange {
    /// The status after the change.
    pub(crate) status: OrderStatus,
    /// The order after the change, if it was watched before the commit.
    pub(crate) order: Option<Arc<Order>>,
    pub(crate) at: DateTime<Utc>,
}

/// A transition with the trace of the request or event that caused it.
#[derive(Debug, Clone)]
pub(crate) struct TracedTransition {
    pub(crate) trace: Option<TraceContext>,
    pub(crate) transition: Transition,
}

/// The locked orders of a batch.
pub(crate) type LockedOrders = HashMap<OrderId, LockedOrder>;

/// Decides on a locked order. Later decisions of the batch see the new state. The trace is `cause`, or else the trace in
/// which the order was placed. An order that is not locked is skipped.
pub(super) fn decide(
    locked: &mut LockedOrders,
    order: OrderId,
    cause: Option<TraceContext>,
    decide: impl FnOnce(Order) -> Transition,
) -> Option<TracedTransition> {
    let LockedOrder { order, trace } = locked.get_mut(&order)?;
    let transition = decide(order.clone());
    *order = transition.order.clone();
    Some(TracedTransition { trace: cause.or(*trace), transition })
}

/// The status of an order after a command.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OrderUpdate {
    pub(crate) status: OrderStatus,
    /// Whether the command changed the order.
    pub(crate) changed: bool,
}

/// What all commands, event handlers and workers of this process share. Clones share the same state.
#[derive(Debug, Clone)]
pub(crate) struct OrderProcess {
    deadlines: Arc<ProcessDeadlines>,
    limits: OrderLimits,
    watchers: KeyedWatchers<OrderId, OrderChange>,
    waker: DeadlineWaker,
    webhooks: WorkerWaker,
    cost_rules: CostRuleCache,
    order_ids: OrderIds,
    priority_customers: PriorityCustomerCache,
    provider: WorkerWaker,
    /// Whether a payment provider makes refunds of what it reported. Otherwise a refund is only recorded.
    has_provider: bool,
    /// The time after the delivery in which customers may announce returns.
    return_window: Duration,
}

impl OrderProcess {
    pub(crate) fn new(deadlines: ProcessDeadlines, limits: OrderLimits) -> Self {
        Self {
            deadlines: Arc::new(deadlines),
            limits,
            watchers: KeyedWatchers::new(MAX_WATCHERS),
            waker: DeadlineWaker::default(),
            webhooks: WorkerWaker::default(),
            cost_rules: CostRuleCache::default(),
            order_ids: OrderIds::default(),
            priority_customers: PriorityCustomerCache::default(),
            provider: WorkerWaker::default(),
            has_provider: false,
            return_window: RETURN_WINDOW,
        }
    }

    pub(crate) fn deadlines(&self) -> &ProcessDeadlines {
        &self.deadlines
    }

    pub(crate) const fn limits(&self) -> &OrderLimits {
        &self.limits
    }

    pub(crate) fn deadline_waker(&self) -> &DeadlineWaker {
        &self.waker
    }

    pub(crate) fn webhook_waker(&self) -> &WorkerWaker {
        &self.webhooks
    }

    /// From now on a payment provider makes refunds.
    pub(crate) fn with_provider(self) -> Self {
        Self { has_provider: true, ..self }
    }

    pub(crate) fn with_return_window(self, return_window: Duration) -> Self {
        Self { return_window, ..self }
    }

    pub(crate) const fn return_window(&self) -> Duration {
        self.return_window
    }

    pub(crate) fn provider_waker(&self) -> &WorkerWaker {
        &self.provider
    }

    /// From now on the ids of orders decide in which queues their events wait.
    pub(crate) fn with_order_ids(self, order_ids: OrderIds) -> Self {
        Self { order_ids, ..self }
    }

    pub(crate) const fn order_ids(&self) -> OrderIds {
        self.order_ids
    }

    pub(crate) fn priority_customers(&self) -> &PriorityCustomerCache {
        &self.priority_customers
    }

    pub(crate) fn cost_rules(&self) -> &CostRuleCache {
        &self.cost_rules
    }

    /// Watches changes of `order` from now on; `None` if there are too many watchers.
    pub(crate) fn watch(&self, order: OrderId) -> Option<OrderWatcher> {
        self.watchers.watch(order)
    }

    /// What the watchers of `order` are told.
    fn change(&self, order: &Order, at: DateTime<Utc>) -> OrderChange {
        let is_watched = self.watchers.is_watched(&order.id);
        let copy = is_watched.then(|| Arc::new(order.clone()));
        OrderChange { status: order.status(), order: copy, at }
    }

    /// Records the transition of one locked order, in the trace of the running request or else in `placed_in`, the
    /// trace in which the order was placed.
    pub(crate) async fn record_one(
        &self,
        tx: &mut Transaction,
        placed_in: Option<TraceContext>,
        transition: Transition,
        now: DateTime<Utc>,
    ) -> Result<OrderUpdate, Error> {
        let update = OrderUpdate { status: transition.order.status(), changed: transition.changed };
        let trace = trace::current().or(placed_in);
        self.record(tx, &[TracedTransition { trace, transition }], now).await?;
        Ok(update)
    }

    /// Records transitions of locked orders: updates their rows, then publishes their events.
    pub(crate) async fn record(
        &self,
        tx: &mut Transaction,
        transitions: &[TracedTransition],
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        // Only the last state of an order is written.
        let changed = transitions.iter().map(|traced| &traced.transition);
        let changed: HashMap<OrderId, &Order> = changed
            .filter(|transition| transition.changed)
            .map(|transition| (transition.order.id, &transition.order))
            .collect();
        if !changed.is_empty() {
            let changed: Vec<&Order> = changed.into_values().collect();
            orders::update(tx, &changed, now).await?;
            // An order that ended early leaves its promotions to others.
            let ended = changed.iter().filter(|order| order.state.reason().is_some());
            let uses = ended.flat_map(|order| order.promotion_uses());
            let uses: Vec<_> = uses.map(|(promotion, order, _)| (promotion, order)).collect();
            promotion_uses::release(tx, &uses).await?;
        }
        let (mut settled, mut refunded) = (Vec::new(), Vec::new());
        let (mut shipped, mut arrived, mut delivered) = (Vec::new(), Vec::new(), Vec::new());
        for (order, event) in events(transitions) {
            match &event.kind {
                OrderEventKind::PaymentApproved(payment) => {
                    settled.push((order, payment, PaymentState::Approved));
                }
                OrderEventKind::PaymentDeclined(payment) => {
                    settled.push((order, payment, PaymentState::Declined));
                }
                OrderEventKind::PaymentMismatched(payment) => {
                    settled.push((order, payment, PaymentState::Mismatched));
                }
                OrderEventKind::PaymentRefunded(payment) => refunded.push(*payment),
                OrderEventKind::ParcelShipped(parcel, shipment) => {
                    shipped.push((order.id, *parcel, shipment));
                }
                OrderEventKind::Shipped(shipment) => {
                    if let Parcels::One { .. } = order.parcels {
                        shipped.push((order.id, order.id.as_uuid().into(), shipment));
                    }
                }
                OrderEventKind::ParcelDelivered(parcel) => arrived.push((order.id, *parcel)),
                OrderEventKind::Delivered => delivered.push(order.id),
                OrderEventKind::Placed(_)
                | OrderEventKind::RefundRequested(_)
                | OrderEventKind::PartRefundRequested(_)
                | OrderEventKind::PartRefunded(_)
                | OrderEventKind::LineCancelled(_)
                | OrderEventKind::ReturnRequested(_)
                | OrderEventKind::ReturnReceived(_)
                | OrderEventKind::ReturnRefused(..)
                | OrderEventKind::StockReserved
                | OrderEventKind::StockRejected(_)
                | OrderEventKind::StockReleased
                | OrderEventKind::HoldExtended
                | OrderEventKind::StockDeducted
                | OrderEventKind::Confirmed(_)
                | OrderEventKind::Rejected(_)
                | OrderEventKind::PaymentFailed(_)
                | OrderEventKind::Expired(_)
                | OrderEventKind::Cancelled(_) => {}
            }
        }
        payments::insert(tx, &settled, now).await?;
        let requested = self.request_refunds(tx, &refunded, now).await?;
        refunded.retain(|payment| !requested.contains(payment));
        payments::refund(tx, &refunded, now).await?;
        shipments::insert(tx, &shipped, now).await?;
        shipments::mark_parcels_delivered(tx, &arrived, now).await?;
        shipments::mark_delivered(tx, &delivered, now).await?;
        if requested.is_empty() {
            self.publish(tx, transitions, now).await
        } else {
            let transitions = with_requested_refunds(transitions, &requested);
            self.publish(tx, &transitions, now).await
        }
    }

    /// Requests those of the refunds that the payment provider must make, and returns them.
    async fn request_refunds(
        &self,
        tx: &mut Transaction,
        payments: &[PaymentId],
        now: DateTime<Utc>,
    ) -> Result<Vec<PaymentId>, Error> {
        if !self.has_provider || payments.is_empty() {
            return Ok(Vec::new());
        }
        let requested = provider_requests::request_refunds(tx, payments, now).await?;
        self.provider.wake_after_commit(tx);
        Ok(requested)
    }

    /// Refunds a part of the payment of a locked order, and adds it to `transition`. It is refunded once for each `id`.
    pub(super) async fn refund_part(
        &self,
        tx: &mut Transaction,
        id: RefundId,
        amount: Money,
        transition: Transition,
        now: DateTime<Utc>,
    ) -> Result<Transition, Error> {
        let order = transition.order.id;
        let inserted = order_refunds::insert(tx, id, order, amount, self.has_provider, now).await;
        let (refund, is_made) = inserted?;
        self.provider.wake_after_commit(tx);
        Ok(transition.with_part_refund(refund, is_made, now))
    }

    /// Appends the events of transitions to the timeline, publishes them, and writes the messages of webhooks. After the
    /// commit it notifies watchers and the workers.
    pub(crate) async fn publish(
        &self,
        tx: &mut Transaction,
        transitions: &[TracedTransition],
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        for TracedTransition { trace, transition } in transitions {
            for event in &transition.events {
                publishes::publish(tx, *trace, &transition.order, event)?;
            }
        }
        let events: Vec<_> = events(transitions).collect();
        if events.is_empty() {
            return Ok(());
        }
        let subscribed = timeline::append(tx, &events).await?;
        write_order_webhooks(tx, &self.webhooks, &subscribed, &events, now).await?;
        let orders = transitions.iter().map(|traced| &traced.transition.order);
        let changes: Vec<(OrderId, OrderChange)> =
            orders.map(|order| (order.id, self.change(order, now))).collect();
        let changed = transitions.iter().map(|traced| &traced.transition);
        let changed = changed.filter(|transition| transition.changed);
        // Neither a longer hold nor one of several lines or parcels gives the order another status.
        let is_step = |transition: &&Transition| {
            transition.events.iter().any(|event| {
                !matches!(
                    event.kind,
                    OrderEventKind::HoldExtended
                        | OrderEventKind::LineCancelled(_)
                        | OrderEventKind::PartRefundRequested(_)
                        | OrderEventKind::PartRefunded(_)
                        | OrderEventKind::ParcelShipped(..)
                        | OrderEventKind::ParcelDelivered(_)
                )
            })
        };
        let new_statuses = changed.clone().filter(is_step);
        let new_statuses: Vec<OrderStatus> =
            new_statuses.map(|transition| transition.order.status()).collect();
        let deadline = changed.filter_map(|transition| transition.order.state.deadline()).min();
        let process = self.clone();
        tx.after_commit(move || {
            let changes = changes.iter().map(|(order, change)| (order, change.clone()));
            process.watchers.notify(changes);
            if let Some(deadline) = deadline {
                process.waker.wake_before(deadline);
            }
            for status in new_statuses {
                metrics::counter!("orders_total", "status" => status.as_str()).increment(1);
            }
        });
        Ok(())
    }
}

/// The transitions, with requests instead of the refunds that are not made yet.
fn with_requested_refunds(
    transitions: &[TracedTransition],
    requested: &[PaymentId],
) -> Vec<TracedTransition> {
    let mut transitions = transitions.to_vec();
    let events = transitions.iter_mut().flat_map(|traced| &mut traced.transition.events);
    for event in events {
        if let OrderEventKind::PaymentRefunded(payment) = event.kind
            && requested.contains(&payment)
        {
            event.kind = OrderEventKind::RefundRequested(payment);
        }
    }
    transitions
}

fn events(transitions: &[TracedTransition]) -> impl Iterator<Item = (&Order, &OrderEvent)> {
    transitions.iter().flat_map(|TracedTransition { transition, .. }| {
        transition.events.iter().map(|event| (&transition.order, event))
    })
}
