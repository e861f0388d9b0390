//! `popularity.changed.v1`: how much a product is sought after.

use chrono::{DateTime, Utc};
use contracts::behavior::PopularityChangedV1;

use crate::storage::popularity::Popularity;

/// The event for what is now written of a product.
pub const fn popularity_changed(
    popularity: &Popularity,
    changed_at: DateTime<Utc>,
) -> PopularityChangedV1 {
    PopularityChangedV1 {
        product_id: popularity.product_id,
        version: popularity.version,
        score: popularity.score,
        changed_at,
    }
}
