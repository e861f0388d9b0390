//! Adds deducted stock to the timeline of orders.

use chrono::{DateTime, Utc};
use envelope::trace::TraceContext;
use messaging::{Error, Transaction};
use runtime::clock;
use vocabulary::OrderId;

use super::order_process::{LockedOrders, OrderProcess, TracedTransition, decide};
use crate::domain;

pub(crate) struct RecordStockDeductedCommand {
    pub(crate) order: OrderId,
    pub(crate) deducted_at: DateTime<Utc>,
    /// The trace of the stock event.
    pub(crate) cause: Option<TraceContext>,
}

pub(crate) async fn record_stock_deducted(
    tx: &mut Transaction,
    process: &OrderProcess,
    mut locked: LockedOrders,
    commands: Vec<RecordStockDeductedCommand>,
) -> Result<(), Error> {
    let transitions = commands.into_iter().filter_map(|command| {
        let RecordStockDeductedCommand { order, deducted_at, cause } = command;
        decide(&mut locked, order, cause, |order| domain::record_stock_deducted(order, deducted_at))
    });
    let transitions: Vec<TracedTransition> = transitions.collect();
    process.publish(tx, &transitions, clock::now()).await
}
