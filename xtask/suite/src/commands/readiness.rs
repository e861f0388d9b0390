//! Waits for the suite.

use std::time::Duration;

use suite::{Answer, CONSOLE, Error, Http, SERVICES, State, output};
use testkit::wait_for;

/// Timeout until a service is ready, including a broker that recovers its queues.
const READY_TIMEOUT: Duration = Duration::from_mins(2);

/// Waits until all services and the console are ready.
pub(super) async fn healthy(http: &Http, state: &State) -> Result<(), Error> {
    for service in SERVICES.into_iter().chain([CONSOLE]) {
        let url = format!("{}/health/ready", state.ports.url(service));
        wait_for(&format!("{} is ready", service.name), READY_TIMEOUT, async || {
            http.get(&url).await.and_then(Answer::success).map_err(|error| output::chain(&error))
        })
        .await?;
    }
    Ok(())
}
