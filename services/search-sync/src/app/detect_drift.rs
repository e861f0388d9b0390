//! Compares the index with the catalogue.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    time::Duration,
};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio::time::{Instant, sleep};
use uuid::Uuid;
use vocabulary::ProductId;

use super::consistency::{ConsistencyError, IndexConsistency};
use crate::domain::{Drift, ProductStatus, VersionMismatch, version_mismatches};

/// A difference counts only after this time; events in transit arrive earlier.
const SETTLE_TIME: Duration = Duration::from_secs(3);

/// The interval of the checks during [`SETTLE_TIME`].
const CHECK_INTERVAL: Duration = Duration::from_millis(250);

/// How many mismatches are listed. More than this are not checked again.
const LISTED_MAX: usize = 1000;

/// How many products are requested concurrently.
const CONCURRENT_REQUESTS: usize = 8;

impl IndexConsistency {
    /// Compares the index with the catalogue, ignoring differences that disappear within seconds.
    pub(crate) async fn detect_drift(&self) -> Result<Drift, ConsistencyError> {
        let _running = self.running.try_lock()?;
        let (mut catalogue, mut expected) = (0, BTreeMap::new());
        let mut export = pin!(self.catalogue.export().await?);
        while let Some(product) = export.try_next().await? {
            catalogue += 1;
            if product.status == ProductStatus::Active {
                expected.insert(product.product_id.as_uuid(), product.version.get());
            }
        }
        let indexed: BTreeMap<Uuid, i64> = self.indexed_versions().await?.into_iter().collect();
        let mut mismatches = version_mismatches(&expected, &indexed);
        let deadline = Instant::now() + SETTLE_TIME;
        while !mismatches.is_empty() && mismatches.len() <= LISTED_MAX && Instant::now() < deadline
        {
            sleep(CHECK_INTERVAL).await;
            mismatches = self.check_again(&mismatches).await?;
        }
        let differing = mismatches.len();
        mismatches.truncate(LISTED_MAX);
        Ok(Drift { catalogue, index: indexed.len(), differing, mismatches })
    }

    /// The mismatches that still exist.
    async fn check_again(
        &self,
        mismatches: &[VersionMismatch],
    ) -> Result<Vec<VersionMismatch>, ConsistencyError> {
        let suspects: BTreeSet<ProductId> = mismatches.iter().map(|one| one.product_id).collect();
        let expected: Vec<Option<(Uuid, i64)>> = stream::iter(suspects.clone())
            .map(async |id| {
                let product = self.catalogue.product(id).await?;
                let active = product.filter(|product| product.status == ProductStatus::Active);
                Ok::<_, ConsistencyError>(active.map(|one| (id.as_uuid(), one.version.get())))
            })
            .buffered(CONCURRENT_REQUESTS)
            .try_collect()
            .await?;
        let expected = expected.into_iter().flatten().collect();
        let is_suspect = |(product, _): &(Uuid, i64)| suspects.contains(&(*product).into());
        let indexed = self.indexed_versions().await?.into_iter().filter(is_suspect).collect();
        Ok(version_mismatches(&expected, &indexed))
    }
}
