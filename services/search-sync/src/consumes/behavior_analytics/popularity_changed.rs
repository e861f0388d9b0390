//! `popularity.changed.v1`: what is sought after comes first among equals.

use std::collections::BTreeMap;

use contracts::behavior::PopularityChangedV1;
use messaging::{Batch, Failure, Handler, Transaction};
use uuid::Uuid;
use vocabulary::{ProductId, Version};

use crate::{domain::matters, storage::popularity, tail::Wake};

/// Notes scores, and hands them on to the index where they have changed enough.
#[derive(Debug, Clone)]
pub struct RankByPopularity(pub(crate) Wake);

impl Handler for RankByPopularity {
    type Event = PopularityChangedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<PopularityChangedV1>,
    ) -> Result<(), Failure> {
        let mut newest: BTreeMap<ProductId, (Version, f64)> = BTreeMap::new();
        for event in batch.delivered().iter().map(|one| &one.event) {
            let held = newest.entry(event.product_id).or_insert((event.version, event.score));
            if held.0 < event.version {
                *held = (event.version, event.score);
            }
        }
        let scores: Vec<(ProductId, Version, f64)> = newest
            .into_iter()
            .map(|(product, (version, score))| (product, version, score))
            .collect();
        let written = popularity::write(tx, &scores).await?;
        if written.is_empty() {
            return Ok(());
        }
        let compared = popularity::lock(tx, &written).await?;
        let ranked: Vec<Uuid> = compared
            .iter()
            .filter(|one| matters(one.indexed, one.score))
            .map(|one| one.product_id)
            .collect();
        if !ranked.is_empty() {
            popularity::rank(tx, &ranked).await?;
            let wake = self.0.clone();
            tx.after_commit(move || wake.wake());
        }
        Ok(())
    }
}
