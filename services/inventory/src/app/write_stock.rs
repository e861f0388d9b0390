//! The common end of all use cases that change stock: write the changes and publish the new levels.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use envelope::trace::{self, TraceContext};
use messaging::Transaction;
use runtime::clock;
use vocabulary::{OrderId, Sku};

use crate::{
    domain::{LowStock, Movement, Stock, StockRefusal},
    names,
    publishes::{stock_availability_changed, stock_changed, stock_low},
    storage::stock,
};

/// Why a level was not set or adjusted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StockChangeError {
    #[error("the change breaks a rule")]
    Refused(#[from] StockRefusal),
    #[error("the change could not be stored")]
    Messaging(#[from] messaging::Error),
}

/// Writes changes that `actor` made in a request. Their events belong to the trace of the request.
pub(super) async fn write_for_request(
    tx: &mut Transaction,
    low: LowStock,
    stock: Stock,
    actor: &str,
    reason: Option<&str>,
) -> Result<(), messaging::Error> {
    write(tx, low, stock, actor, reason, clock::now(), |_| trace::current()).await
}

/// Writes changes that orders caused. `causes` holds the trace of the event of each order.
pub(super) async fn write_for_orders(
    tx: &mut Transaction,
    low: LowStock,
    stock: Stock,
    reason: Option<&str>,
    now: DateTime<Utc>,
    causes: &HashMap<OrderId, Option<TraceContext>>,
) -> Result<(), messaging::Error> {
    let cause_of = |movement: &Movement| {
        movement.order.and_then(|order| causes.get(&order).copied().flatten())
    };
    write(tx, low, stock, names::ORDER, reason, now, cause_of).await
}

/// Writes changes that counts of an import caused. `causes` holds the trace of the event of each SKU.
pub(super) async fn write_for_counts(
    tx: &mut Transaction,
    low: LowStock,
    stock: Stock,
    reason: &str,
    now: DateTime<Utc>,
    causes: &HashMap<&Sku, Option<TraceContext>>,
) -> Result<(), messaging::Error> {
    let cause_of = |movement: &Movement| causes.get(&movement.sku).copied().flatten();
    write(tx, low, stock, names::PRODUCT_CATALOG, Some(reason), now, cause_of).await
}

/// Publishes each changed SKU once, in the trace of its last movement; also if it sold out, is in stock again, or became low.
async fn write(
    tx: &mut Transaction,
    low: LowStock,
    stock: Stock,
    actor: &str,
    reason: Option<&str>,
    now: DateTime<Utc>,
    cause_of: impl Fn(&Movement) -> Option<TraceContext>,
) -> Result<(), messaging::Error> {
    let changes = stock.into_changes();
    stock::write(tx, &changes, actor, reason, now).await?;
    let last: HashMap<&Sku, &Movement> =
        changes.movements.iter().map(|movement| (&movement.sku, movement)).collect();
    let changed_availability = changes.changed_availability();
    let became_low = changes.became_low(low);
    for stock in &changes.skus {
        let cause = last.get(&stock.sku).and_then(|movement| cause_of(movement));
        tx.emit_caused_by(cause, &stock_changed(stock, now))?;
        if changed_availability.contains(&stock.sku) {
            tx.emit_caused_by(cause, &stock_availability_changed(stock, now))?;
        }
        if became_low.contains(&stock.sku) {
            tx.emit_caused_by(cause, &stock_low(stock, low, now))?;
        }
    }
    Ok(())
}
