//! Sets stock to the counts of an import.
//!
//! A count and the event that registers its SKU come through different queues. A count of an unknown SKU is
//! therefore stored, and applied as soon as the SKU is registered. Every change of these stored counts happens
//! under the lock on the stock, so a later count never loses against an earlier one.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use envelope::trace::TraceContext;
use messaging::Transaction;
use runtime::clock;
use vocabulary::{ImportId, Sku};

use super::write_stock::write_for_counts;
use crate::{
    domain::{DEFAULT_WAREHOUSE, LowStock, StockCount, StockRefusal},
    storage::{pending_counts, stock},
};

/// The maximum number of stored counts that are applied in a transaction.
const BATCH_SIZE: i64 = 500;

pub(crate) struct CountStockCommand {
    pub(crate) count: StockCount,
    /// The trace of the event that brought the count.
    pub(crate) cause: Option<TraceContext>,
}

/// Sets the pieces on hand in the default warehouse, or stores the counts of unknown SKUs. If some are
/// refused, they are returned by index, and the transaction must be rolled back.
pub(crate) async fn count_stock(
    tx: &mut Transaction,
    low: LowStock,
    commands: &[CountStockCommand],
) -> Result<Vec<(usize, StockRefusal)>, messaging::Error> {
    let counts = commands.iter().map(|command| &command.count);
    let causes: HashMap<&Sku, Option<TraceContext>> =
        commands.iter().map(|command| (&command.count.sku, command.cause)).collect();
    let mut outcome = Outcome::default();
    set(tx, low, counts.clone(), &causes, &mut outcome).await?;
    if outcome.refused.is_empty() {
        // The last count of a SKU replaces the others, stored ones as well.
        let latest: BTreeMap<&Sku, &StockCount> = counts.map(|count| (&count.sku, count)).collect();
        let skus: Vec<&Sku> = latest.keys().copied().collect();
        pending_counts::delete(tx, &skus).await?;
        let unknown = latest.into_values().filter(|count| outcome.unknown.contains(&count.sku));
        pending_counts::insert(tx, &unknown.collect::<Vec<_>>()).await?;
    }
    Ok(outcome.refused)
}

/// Applies stored counts of SKUs that are registered by now.
pub(crate) async fn apply_pending_counts(
    tx: &mut Transaction,
    low: LowStock,
) -> Result<(), messaging::Error> {
    stock::lock(tx, []).await?;
    let mut counts = pending_counts::take_registered(tx, BATCH_SIZE).await?;
    counts.sort_by_key(|count| count.import);
    let mut outcome = Outcome::default();
    set(tx, low, counts.iter(), &HashMap::new(), &mut outcome).await?;
    for (index, refusal) in outcome.refused {
        // Only possible if the stock was set and reserved since the registration.
        let StockCount { sku, quantity, import } = &counts[index];
        let error = problem::chain(&refusal);
        tracing::error!(%sku, quantity, %import, error, "a stored count was not applied");
    }
    Ok(())
}

#[derive(Default)]
struct Outcome {
    /// By index.
    refused: Vec<(usize, StockRefusal)>,
    unknown: BTreeSet<Sku>,
}

/// Sets the levels import by import: each names another reason in the ledger.
async fn set<'a>(
    tx: &mut Transaction,
    low: LowStock,
    counts: impl Iterator<Item = &'a StockCount>,
    causes: &HashMap<&Sku, Option<TraceContext>>,
    outcome: &mut Outcome,
) -> Result<(), messaging::Error> {
    let now = clock::now();
    let mut imports: Vec<(ImportId, Vec<(usize, &StockCount)>)> = Vec::new();
    for (index, count) in counts.enumerate() {
        match imports.last_mut() {
            Some((import, counts)) if *import == count.import => counts.push((index, count)),
            Some(_) | None => imports.push((count.import, vec![(index, count)])),
        }
    }
    for (import, counts) in imports {
        let skus: BTreeSet<&Sku> = counts.iter().map(|(_, count)| &count.sku).collect();
        let mut stock = stock::lock(tx, skus).await?;
        for (index, StockCount { sku, quantity, .. }) in counts {
            match stock.set(sku, DEFAULT_WAREHOUSE.into(), *quantity) {
                Ok(_) => {}
                Err(StockRefusal::UnknownSku) => drop(outcome.unknown.insert(sku.clone())),
                Err(refusal) => outcome.refused.push((index, refusal)),
            }
        }
        write_for_counts(tx, low, stock, &format!("import {import}"), now, causes).await?;
    }
    Ok(())
}
