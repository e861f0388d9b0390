//! Publish popularity: compare demand with the published scores, and publish the changes.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use messaging::Outbox;
use uuid::Uuid;

use crate::{
    domain::popularity::{ChangeThreshold, changed_scores},
    publishes::popularity_changed::popularity_changed,
    storage::popularity,
};

/// Reads the published score of every product.
pub(crate) async fn published_scores(
    outbox: &Outbox,
) -> Result<HashMap<Uuid, f64>, messaging::Error> {
    let mut connection = outbox.pool().acquire().await?;
    Ok(popularity::scores(&mut connection).await?)
}

/// Publishes the scores that changed enough, and updates `published`. The table decides: what another replica
/// published meanwhile is not published again.
pub(crate) async fn publish_popularity(
    outbox: &Outbox,
    published: &mut HashMap<Uuid, f64>,
    demand: &[(Uuid, f64)],
    now: DateTime<Utc>,
) -> Result<(), messaging::Error> {
    let threshold = ChangeThreshold::DEFAULT;
    let changed = changed_scores(published, demand, threshold);
    if changed.is_empty() {
        return Ok(());
    }
    let mut tx = outbox.begin().await?;
    let written = popularity::upsert_changed(&mut tx, &changed, threshold, now).await?;
    for popularity in &written {
        tx.emit(&popularity_changed(popularity, now))?;
    }
    tx.commit().await?;
    let count = u64::try_from(written.len()).unwrap_or_default();
    metrics::counter!("behavior_popularity_published_total").increment(count);
    // A score that another replica published meanwhile is close to this one.
    published.extend(changed);
    Ok(())
}
