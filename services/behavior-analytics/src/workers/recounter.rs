//! Gives stored events new verdicts when the rules have changed.

use std::{convert::Infallible, time::Duration};

use messaging::Outbox;
use tokio_util::sync::CancellationToken;

use crate::app::{
    model_waker::ModelWaker, recount_events::recount_events, rules_waker::RulesWaker,
};

/// How often the worker looks for rules that another replica has changed.
const POLL_INTERVAL: Duration = Duration::from_secs(5);

/// The pause after a database error.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Recounts until `stop`. Every replica runs this worker; page by page, they take turns.
pub(crate) async fn run(
    outbox: Outbox,
    rules: RulesWaker,
    model: ModelWaker,
    stop: CancellationToken,
) -> Result<(), Infallible> {
    while let Some(result) = stop.run_until_cancelled(recount_events(&outbox)).await {
        match result {
            Ok(true) => {
                model.wake();
                tokio::select! {
                    () = stop.cancelled() => break,
                    () = rules.woken() => {}
                    () = tokio::time::sleep(POLL_INTERVAL) => {}
                }
            }
            Ok(false) => {}
            Err(error) => {
                let error = problem::chain(&error);
                tracing::warn!(error, "failed to recount user events; retrying");
                stop.run_until_cancelled(tokio::time::sleep(RETRY_DELAY)).await;
            }
        }
    }
    Ok(())
}
