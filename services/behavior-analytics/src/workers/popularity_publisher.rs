//! Publishes popularity scores periodically.

use std::{collections::HashMap, convert::Infallible, time::Duration};

use messaging::{Criticality, Outbox};
use runtime::clock;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::app::{
    publish_popularity::{publish_popularity, published_scores},
    recommender::Recommender,
};

/// How often demand is compared with the published scores.
const PUBLISH_INTERVAL: Duration = Duration::from_secs(2);

/// Publishes changed scores until `stop`. Every replica runs this worker.
pub(crate) async fn run(
    outbox: Outbox,
    recommender: Recommender,
    stop: CancellationToken,
) -> Result<(), Infallible> {
    let mut published = None;
    let mut ticks = tokio::time::interval(PUBLISH_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        // Scores can wait under overload: a later comparison publishes the values of that time.
        if outbox.admit(Criticality::Deferrable).is_err() {
            continue;
        }
        let Some(demand) = recommender.demand(clock::now()) else { continue };
        if let Err(error) = publish(&outbox, &mut published, &demand).await {
            tracing::warn!(error = problem::chain(&error), "failed to publish popularity");
        }
    }
    Ok(())
}

/// `published` holds the published scores as far as this process knows; the first call reads them from the
/// table.
async fn publish(
    outbox: &Outbox,
    published: &mut Option<HashMap<Uuid, f64>>,
    demand: &[(Uuid, f64)],
) -> Result<(), messaging::Error> {
    let published = match published {
        Some(published) => published,
        None => published.insert(published_scores(outbox).await?),
    };
    publish_popularity(outbox, published, demand, clock::now()).await
}
