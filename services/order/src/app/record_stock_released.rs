//! Adds released stock to the timeline of orders, and cancels those whose end was lost.

use chrono::{DateTime, Utc};
use envelope::trace::TraceContext;
use messaging::{Error, Transaction};
use runtime::clock;
use vocabulary::OrderId;

use super::order_process::{LockedOrders, OrderProcess, TracedTransition, decide};
use crate::domain;

pub(crate) struct RecordStockReleasedCommand {
    pub(crate) order: OrderId,
    pub(crate) released_at: DateTime<Utc>,
    /// The trace of the stock event.
    pub(crate) cause: Option<TraceContext>,
}

pub(crate) async fn record_stock_released(
    tx: &mut Transaction,
    process: &OrderProcess,
    mut locked: LockedOrders,
    commands: Vec<RecordStockReleasedCommand>,
) -> Result<(), Error> {
    let now = clock::now();
    let transitions = commands.into_iter().filter_map(|command| {
        let RecordStockReleasedCommand { order, released_at, cause } = command;
        decide(&mut locked, order, cause, |order| {
            domain::record_stock_released(order, released_at, now)
        })
    });
    let transitions: Vec<TracedTransition> = transitions.collect();
    process.record(tx, &transitions, now).await
}
