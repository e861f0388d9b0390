//! Rejects orders whose stock inventory could not reserve.

use chrono::{DateTime, Utc};
use envelope::trace::TraceContext;
use messaging::{Error, Transaction};
use runtime::clock;
use vocabulary::OrderId;

use super::order_process::{LockedOrders, OrderProcess, TracedTransition, decide};
use crate::domain::{self, EndReason};

pub(crate) struct RejectOrderCommand {
    pub(crate) order: OrderId,
    pub(crate) reason: EndReason,
    pub(crate) rejected_at: DateTime<Utc>,
    /// The trace of the rejection.
    pub(crate) cause: Option<TraceContext>,
}

pub(crate) async fn reject_orders(
    tx: &mut Transaction,
    process: &OrderProcess,
    mut locked: LockedOrders,
    commands: Vec<RejectOrderCommand>,
) -> Result<(), Error> {
    let now = clock::now();
    let transitions = commands.into_iter().filter_map(|command| {
        let RejectOrderCommand { order, reason, rejected_at, cause } = command;
        decide(&mut locked, order, cause, |order| domain::reject(order, reason, rejected_at, now))
    });
    let transitions: Vec<TracedTransition> = transitions.collect();
    process.record(tx, &transitions, now).await
}
