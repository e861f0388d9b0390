//! `stock.changed.v1`: the level of a SKU over all warehouses.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use contracts::{inventory::StockChangedV1, trace::TraceContext};
use messaging::Transaction;
use vocabulary::Sku;

use crate::domain::{Changes, Level, Movement};

/// Says the new level of each SKU that changed, once. `cause_of` says what caused a movement; a level belongs to the trace
/// of the last movement that led to it.
pub fn say(
    tx: &mut Transaction,
    changes: &Changes,
    changed_at: DateTime<Utc>,
    cause_of: impl Fn(&Movement) -> Option<TraceContext>,
) -> Result<(), messaging::Error> {
    let movements = changes.movements.iter();
    let last: HashMap<&Sku, &Movement> =
        movements.map(|movement| (&movement.sku, movement)).collect();
    for level in &changes.levels {
        let cause = last.get(&level.sku).and_then(|movement| cause_of(movement));
        tx.emit_caused_by(cause, &stock_changed(level, changed_at))?;
    }
    Ok(())
}

fn stock_changed(level: &Level, changed_at: DateTime<Utc>) -> StockChangedV1 {
    StockChangedV1 {
        sku: level.sku.clone(),
        version: level.version,
        on_hand: level.on_hand(),
        reserved: level.reserved(),
        available: level.available(),
        changed_at,
    }
}
