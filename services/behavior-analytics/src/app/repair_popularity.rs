//! Publishes popularity again after the database of this service went back to an earlier state.

use contracts::behavior::POPULARITY;
use messaging::{Error, Transaction, reconcile::LostCommits};
use runtime::clock;
use uuid::Uuid;

use crate::{publishes::popularity_changed::popularity_changed, storage::popularity};

/// Publishes the score of each product whose popularity was lost, with a version behind every lost one: otherwise subscribers would
/// take the next versions for older ones.
pub(crate) async fn repair_popularity(
    tx: &mut Transaction,
    lost: &[LostCommits],
) -> Result<(), Error> {
    let of_products = lost.iter().filter(|commits| commits.aggregate == POPULARITY);
    // Each version was published once, so versions and sequence numbers of a product are equal.
    let seen = of_products.filter_map(|commits| Some((commits.key.parse().ok()?, commits.seen)));
    let seen: Vec<(Uuid, i64)> = seen.collect();
    let now = clock::now();
    for popularity in popularity::raise_versions(tx, &seen, now).await? {
        tx.emit(&popularity_changed(&popularity, now))?;
    }
    Ok(())
}
