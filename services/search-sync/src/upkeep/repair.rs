//! Putting the index right: first from the projection, then the projection from the catalogue.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
};

use futures::TryStreamExt as _;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;
use vocabulary::{ProductId, Version};

use super::{Upkeep, UpkeepError};
use crate::{
    domain::{Listing, newest},
    storage::documents::{self, Held},
};

/// How many products one transaction takes on.
const BATCH: usize = 500;

/// What a repair did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Repair {
    /// Products that the index had otherwise than the projection, and takes once more.
    pub reindexed: usize,
    /// Products that were taken over from the catalogue in a newer version.
    pub refetched: usize,
    /// Products that the catalogue does not have any more, and that are taken out.
    pub removed: usize,
    /// The number of the change that the index must reach to have it all: `min_version` of a search waits for it.
    pub change: i64,
}

impl Upkeep {
    /// Repairs. The index follows within moments, as after any change.
    pub async fn repair(&self) -> Result<Repair, UpkeepError> {
        let _turn = self.turn.try_lock()?;
        let reindexed = self.reindex().await?;
        let (refetched, removed) = self.refetch().await?;
        let change = documents::last_change(&mut *self.kit.pool().acquire().await?).await?;
        Ok(Repair { reindexed, refetched, removed, change })
    }

    /// Hands the tail once more what the index has otherwise than the projection.
    async fn reindex(&self) -> Result<usize, UpkeepError> {
        let applied = self.live.progress().applied;
        let held = documents::held(&mut *self.kit.pool().acquire().await?).await?;
        let indexed: BTreeMap<Uuid, i64> = self.indexed().await?.into_iter().collect();
        let known: BTreeSet<Uuid> = held.iter().map(|held| held.product_id).collect();
        let is_wrong = |held: &&Held| {
            let expected = held.active.then_some(held.version);
            // What is behind the index is on its way to it.
            held.change <= applied && expected != indexed.get(&held.product_id).copied()
        };
        let wrong: Vec<Uuid> = held.iter().filter(is_wrong).map(|held| held.product_id).collect();
        // What the projection has never heard of gets a tombstone, which takes it out.
        let stray: Vec<Listing> = indexed
            .iter()
            .filter(|(product, _)| !known.contains(product))
            .filter_map(|(product, version)| {
                Some(Listing::deleted((*product).into(), Version::try_from(*version).ok()?))
            })
            .collect();
        for wrong in wrong.chunks(BATCH) {
            let mut tx = self.kit.begin().await?;
            documents::touch(&mut tx, wrong).await?;
            self.commit(tx).await?;
        }
        for stray in stray.chunks(BATCH) {
            self.take_over(stray).await?;
        }
        Ok(wrong.len() + stray.len())
    }

    /// Takes newer versions over from the catalogue, and takes out what it does not have.
    async fn refetch(&self) -> Result<(usize, usize), UpkeepError> {
        let held = documents::held(&mut *self.kit.pool().acquire().await?).await?;
        let mut versions: BTreeMap<Uuid, Held> =
            held.into_iter().map(|held| (held.product_id, held)).collect();
        let (mut refetched, mut newer) = (0, Vec::new());
        let mut export = pin!(self.catalogue.export().await?);
        while let Some(listing) = export.try_next().await? {
            let held = versions.remove(&listing.product_id.as_uuid());
            if held.is_none_or(|held| held.version < listing.version.get()) {
                newer.push(listing);
            }
            if newer.len() == BATCH {
                refetched += self.take_over(&newest(newer.drain(..))).await?;
            }
        }
        refetched += self.take_over(&newest(newer)).await?;
        // What was made while the export ran is not in it, so each is asked for once more.
        let mut gone: Vec<(ProductId, i64)> = Vec::new();
        for held in versions.into_values().filter(|held| !held.deleted) {
            let product = ProductId::from(held.product_id);
            if self.catalogue.product(product).await?.is_none() {
                gone.push((product, held.version));
            }
        }
        let mut removed = 0;
        for gone in gone.chunks(BATCH) {
            let mut tx = self.kit.begin().await?;
            removed += usize::try_from(documents::bury(&mut tx, gone).await?).unwrap_or_default();
            self.commit(tx).await?;
        }
        Ok((refetched, removed))
    }

    async fn take_over(&self, listings: &[Listing]) -> Result<usize, UpkeepError> {
        let mut tx = self.kit.begin().await?;
        let written = documents::write(&mut tx, listings).await?;
        self.commit(tx).await?;
        Ok(written.len())
    }

    async fn commit(&self, mut tx: messaging::Transaction) -> Result<(), UpkeepError> {
        let wake = self.wake.clone();
        tx.after_commit(move || wake.wake());
        Ok(tx.commit().await?)
    }
}
