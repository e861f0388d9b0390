//! Publishes stock levels again after the database of this service went back to an earlier state.

use contracts::inventory::STOCK;
use messaging::{Error, Transaction, reconcile::LostCommits};
use runtime::clock;
use vocabulary::Sku;

use crate::{publishes::stock_changed, storage::stock};

/// Publishes the level of each SKU of which commits were lost, with a version behind every lost one: otherwise subscribers would take
/// the next versions for older ones. SKUs that are not known any more have no level.
pub(crate) async fn repair_lost_levels(
    tx: &mut Transaction,
    lost: &[LostCommits],
) -> Result<(), Error> {
    let of_skus = lost.iter().filter(|commits| commits.aggregate == STOCK);
    let seen: Vec<(Sku, i64)> =
        of_skus.filter_map(|commits| Some((commits.key.parse().ok()?, commits.seen))).collect();
    stock::raise_versions(tx, &seen).await?;
    let levels = stock::lock(tx, seen.iter().map(|(sku, _)| sku)).await?;
    let now = clock::now();
    for level in seen.iter().filter_map(|(sku, _)| levels.get(sku)) {
        tx.emit(&stock_changed(level, now))?;
    }
    Ok(())
}
