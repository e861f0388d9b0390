//! `popularity.changed.v1`: the demand for a product changed.

use chrono::{DateTime, Utc};
use contracts::behavior::PopularityChangedV1;

use crate::domain::popularity::Popularity;

/// The event for a new popularity score.
pub(crate) const fn popularity_changed(
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
