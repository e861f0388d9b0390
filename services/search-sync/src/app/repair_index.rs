//! Repairs the index from the projection, then the projection from the catalogue.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
};

use contracts::catalog::PRODUCT;
use futures::TryStreamExt as _;
use messaging::{Transaction, forget_numbers};
use vocabulary::{ProductId, Version};

use super::{
    consistency::{ConsistencyError, IndexConsistency},
    repair_settings::repair_settings,
};
use crate::{
    domain::{CatalogProduct, ProjectedVersion, newest_versions},
    names::{PRODUCT_CATALOG, SERVICE},
    storage::documents,
};

/// How many products one transaction writes.
const BATCH_SIZE: usize = 500;

/// The result of a repair.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct IndexRepair {
    /// Products that differed between index and projection.
    pub(crate) reindexed: usize,
    /// Products of which the catalogue had a newer version, or fields that are not stored, or not the version that was stored.
    pub(crate) refetched: usize,
    /// Products that are no longer in the catalogue.
    pub(crate) removed: usize,
    /// Synonyms and rules that differed from the catalogue.
    pub(crate) settings: u64,
    /// The number of the last change; the index is repaired once it contains it.
    pub(crate) change: i64,
}

impl IndexConsistency {
    /// Repairs the projection; the indexer follows as after any change.
    pub(crate) async fn repair_index(&self) -> Result<IndexRepair, ConsistencyError> {
        let _running = self.running.try_lock()?;
        let reindexed = self.reindex().await?;
        let (refetched, removed) = self.refetch().await?;
        let settings = repair_settings(&self.outbox, &self.catalogue, &self.settings).await?;
        let change = documents::last_change(&mut *self.outbox.pool().acquire().await?).await?;
        Ok(IndexRepair { reindexed, refetched, removed, settings, change })
    }

    /// Renumbers the documents that differ from the index, so that the indexer reads them again.
    async fn reindex(&self) -> Result<usize, ConsistencyError> {
        let applied = self.live.progress().applied;
        let projected = documents::list_versions(&mut *self.outbox.pool().acquire().await?).await?;
        let indexed: BTreeMap<ProductId, i64> = self
            .indexed_versions()
            .await?
            .into_iter()
            .map(|(product, version)| (product.into(), version))
            .collect();
        let known: BTreeSet<ProductId> = projected.iter().map(|one| one.product_id).collect();
        let differs = |one: &&ProjectedVersion| {
            let expected = one.active.then_some(one.version);
            // The indexer has not reached later changes yet.
            one.change <= applied && expected != indexed.get(&one.product_id).copied()
        };
        let differing: Vec<ProductId> =
            projected.iter().filter(differs).map(|one| one.product_id).collect();
        // A product that is only in the index is removed by a deleted document.
        let unknown: Vec<CatalogProduct> = indexed
            .iter()
            .filter(|(product, _)| !known.contains(product))
            .filter_map(|(product, version)| {
                Some(CatalogProduct::deleted(*product, Version::try_from(*version).ok()?))
            })
            .collect();
        for products in differing.chunks(BATCH_SIZE) {
            let mut tx = self.outbox.begin().await?;
            documents::renumber(&mut tx, products).await?;
            self.commit(tx).await?;
        }
        for products in unknown.chunks(BATCH_SIZE) {
            self.write(products).await?;
        }
        Ok(differing.len() + unknown.len())
    }

    /// Copies newer versions and missing fields from the catalogue, and removes products that it no longer has.
    async fn refetch(&self) -> Result<(usize, usize), ConsistencyError> {
        let projected = documents::list_versions(&mut *self.outbox.pool().acquire().await?).await?;
        let mut missing: BTreeMap<ProductId, ProjectedVersion> =
            projected.into_iter().map(|one| (one.product_id, one)).collect();
        let (mut refetched, mut newer, mut unpublished) = (0, Vec::new(), Vec::new());
        let mut export = pin!(self.catalogue.export().await?);
        while let Some(product) = export.try_next().await? {
            let known = missing.remove(&product.product_id);
            let version = product.version.get();
            let is_newer = |known: ProjectedVersion| {
                known.version < version || (known.version == version && known.outdated)
            };
            if let Some(known) = known.filter(|known| is_unpublished(known, &product)) {
                unpublished.push((product, known.version));
            } else if known.is_none_or(is_newer) {
                newer.push(product);
            }
            if newer.len() == BATCH_SIZE {
                refetched += self.write(&newest_versions(newer.drain(..))).await?;
            }
        }
        refetched += self.write(&newest_versions(newer)).await?;
        refetched += self.replace(unpublished).await?;
        // The export does not contain products that were created meanwhile, so ask for each missing one.
        let mut removed_products: Vec<(ProductId, i64)> = Vec::new();
        for one in missing.into_values().filter(|one| !one.deleted) {
            if self.catalogue.product(one.product_id).await?.is_none() {
                removed_products.push((one.product_id, one.version));
            }
        }
        let mut removed = 0;
        for products in removed_products.chunks(BATCH_SIZE) {
            let mut tx = self.outbox.begin().await?;
            let deleted = documents::mark_deleted(&mut tx, products).await?;
            removed += usize::try_from(deleted).unwrap_or_default();
            self.commit(tx).await?;
        }
        Ok((refetched, removed))
    }

    /// Replaces versions that the catalogue has never published: a forged event has written them, and no honest event would overwrite
    /// them. Returns how many.
    pub(crate) async fn replace_unpublished(&self) -> Result<usize, ConsistencyError> {
        let _running = self.running.try_lock()?;
        let projected = documents::list_versions(&mut *self.outbox.pool().acquire().await?).await?;
        let known: BTreeMap<ProductId, ProjectedVersion> =
            projected.into_iter().map(|one| (one.product_id, one)).collect();
        let mut unpublished = Vec::new();
        let mut export = pin!(self.catalogue.export().await?);
        while let Some(product) = export.try_next().await? {
            let known = known.get(&product.product_id);
            if let Some(known) = known.filter(|known| is_unpublished(known, &product)) {
                unpublished.push((product, known.version));
            }
        }
        self.replace(unpublished).await
    }

    /// Replaces these versions by those of the catalogue, and lets the next event of each product take effect.
    async fn replace(
        &self,
        unpublished: Vec<(CatalogProduct, i64)>,
    ) -> Result<usize, ConsistencyError> {
        let mut replaced = 0;
        for products in unpublished.chunks(BATCH_SIZE) {
            let keys: Vec<String> =
                products.iter().map(|(product, _)| product.product_id.to_string()).collect();
            let versions: Vec<(ProductId, i64)> =
                products.iter().map(|(product, version)| (product.product_id, *version)).collect();
            let products = products.iter().map(|(product, _)| product.clone());
            let mut tx = self.outbox.begin().await?;
            forget_numbers(&mut tx, &consumer_of_products(), PRODUCT_CATALOG, PRODUCT, &keys)
                .await?;
            documents::remove(&mut tx, &versions).await?;
            let written =
                documents::write(&mut tx, &newest_versions(products), &BTreeSet::new()).await?;
            self.commit(tx).await?;
            tracing::error!(
                products = ?keys,
                "versions that the catalogue has never published were replaced"
            );
            replaced += written.len();
        }
        Ok(replaced)
    }

    async fn write(&self, products: &[CatalogProduct]) -> Result<usize, ConsistencyError> {
        let mut tx = self.outbox.begin().await?;
        let written = documents::write(&mut tx, products, &BTreeSet::new()).await?;
        self.commit(tx).await?;
        Ok(written.len())
    }

    async fn commit(&self, mut tx: Transaction) -> Result<(), ConsistencyError> {
        let indexer = self.indexer.clone();
        tx.after_commit(move || indexer.wake());
        Ok(tx.commit().await?)
    }
}

/// Whether the catalogue has never published the version that was known before its export: versions only grow.
fn is_unpublished(known: &ProjectedVersion, exported: &CatalogProduct) -> bool {
    known.version > exported.version.get()
}

/// The consumer of the products' events.
fn consumer_of_products() -> String {
    format!("{}.{PRODUCT}", SERVICE.name)
}
