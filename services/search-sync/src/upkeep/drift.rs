//! What the index has otherwise than the catalogue.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    time::Duration,
};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;
use tokio::time::{Instant, sleep};
use utoipa::ToSchema;
use uuid::Uuid;
use vocabulary::ProductId;

use super::{Upkeep, UpkeepError};
use crate::domain::State;

/// How long a difference may last before it counts: what is on its way arrives within that.
const SETTLE: Duration = Duration::from_secs(3);

/// How long to wait between two looks at what differs.
const PAUSE: Duration = Duration::from_millis(250);

/// With more differences than this nobody looks whether they are on their way, and this many are listed.
const LISTED: usize = 1000;

/// How many products are asked for at once.
const AT_ONCE: usize = 8;

/// What the index has otherwise than the catalogue, product by product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Drift {
    /// How many products the catalogue has.
    pub catalogue: usize,
    /// How many products the index has.
    pub index: usize,
    /// How many differ.
    pub differing: usize,
    /// Which; the first thousand.
    pub items: Vec<Difference>,
}

/// One product that differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
pub struct Difference {
    /// Which.
    #[schema(value_type = Uuid)]
    pub product_id: ProductId,
    /// The version that is for sale; null where the product does not belong into the index.
    pub catalogue_version: Option<i64>,
    /// The version in the index; null where it is not there.
    pub index_version: Option<i64>,
}

impl Upkeep {
    /// Compares the index with the catalogue. What differs only because it is on its way is not counted.
    pub async fn drift(&self) -> Result<Drift, UpkeepError> {
        let _turn = self.turn.try_lock()?;
        let (mut catalogue, mut expected) = (0, BTreeMap::new());
        let mut export = pin!(self.catalogue.export().await?);
        while let Some(listing) = export.try_next().await? {
            catalogue += 1;
            if listing.state == State::Active {
                expected.insert(listing.product_id.as_uuid(), listing.version.get());
            }
        }
        let indexed: BTreeMap<Uuid, i64> = self.indexed().await?.into_iter().collect();
        let mut items = differences(&expected, &indexed);
        let deadline = Instant::now() + SETTLE;
        while !items.is_empty() && items.len() <= LISTED && Instant::now() < deadline {
            sleep(PAUSE).await;
            items = self.look_again(&items).await?;
        }
        let differing = items.len();
        items.truncate(LISTED);
        Ok(Drift { catalogue, index: indexed.len(), differing, items })
    }

    /// Those of `items` that still differ.
    async fn look_again(&self, items: &[Difference]) -> Result<Vec<Difference>, UpkeepError> {
        let doubted: BTreeSet<ProductId> = items.iter().map(|item| item.product_id).collect();
        let expected: Vec<Option<(Uuid, i64)>> = stream::iter(doubted.clone())
            .map(async |product| {
                let listing = self.catalogue.product(product).await?;
                let active = listing.filter(|listing| listing.state == State::Active);
                Ok::<_, UpkeepError>(active.map(|one| (product.as_uuid(), one.version.get())))
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        let expected = expected.into_iter().flatten().collect();
        let is_doubted = |(product, _): &(Uuid, i64)| doubted.contains(&(*product).into());
        let indexed = self.indexed().await?.into_iter().filter(is_doubted).collect();
        Ok(differences(&expected, &indexed))
    }
}

/// The products that are not on both sides in the same version, sorted.
fn differences(expected: &BTreeMap<Uuid, i64>, indexed: &BTreeMap<Uuid, i64>) -> Vec<Difference> {
    let products: BTreeSet<&Uuid> = expected.keys().chain(indexed.keys()).collect();
    products
        .into_iter()
        .map(|product| Difference {
            product_id: (*product).into(),
            catalogue_version: expected.get(product).copied(),
            index_version: indexed.get(product).copied(),
        })
        .filter(|one| one.catalogue_version != one.index_version)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use uuid::Uuid;

    use super::differences;

    #[test]
    fn what_is_missing_stale_or_too_much_differs() {
        let side = |versions: &[(u128, i64)]| -> BTreeMap<Uuid, i64> {
            versions.iter().map(|(id, version)| (Uuid::from_u128(*id), *version)).collect()
        };
        let found = differences(&side(&[(1, 1), (2, 2), (3, 3)]), &side(&[(1, 1), (2, 1), (4, 9)]));
        let found: Vec<_> = found
            .iter()
            .map(|one| {
                (one.product_id.as_uuid().as_u128(), one.catalogue_version, one.index_version)
            })
            .collect();
        assert_eq!(found, [(2, Some(2), Some(1)), (3, Some(3), None), (4, None, Some(9))]);
    }
}
