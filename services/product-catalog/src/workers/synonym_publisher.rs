//! Publishes the synonyms that a new shop begins with, once.

use std::{convert::Infallible, time::Duration};

use messaging::Outbox;
use tokio_util::sync::CancellationToken;

use crate::app::publish_synonyms;

const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Runs until the synonyms are published, or `stop`.
pub(crate) async fn run(outbox: Outbox, stop: CancellationToken) -> Result<(), Infallible> {
    while !stop.is_cancelled() {
        let Err(error) = publish_synonyms(&outbox).await else { break };
        tracing::warn!(error = problem::chain(&error), "failed to publish the first synonyms");
        stop.run_until_cancelled(tokio::time::sleep(RETRY_DELAY)).await;
    }
    Ok(())
}
