//! The settings loader: keeps the synonyms and rules of this process equal to the tables.
//!
//! A change in the same process wakes it; it also polls, because another process may have consumed the event.
//! So every process applies a change within a fraction of a second.

use std::{convert::Infallible, time::Duration};

use messaging::Outbox;
use runtime::{Lifecycle, health::Component};
use tokio_util::sync::CancellationToken;

use crate::{
    app::SettingsWaker,
    index::{LiveSettings, SearchSettings},
    storage::settings,
};

/// How often the loader checks for changes of other processes, unless it is alone and rests.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// The delay after a failure.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Starts the loader. `component` is up while the settings can be read.
pub(crate) fn start(
    lifecycle: &Lifecycle,
    component: Component,
    outbox: &Outbox,
    waker: SettingsWaker,
) -> LiveSettings {
    let live = LiveSettings::default();
    let loader = Loader { outbox: outbox.clone(), waker, live: live.clone(), component };
    let stop = lifecycle.soft();
    lifecycle.spawn("settings", async move {
        loader.run(&stop).await;
        Ok::<_, Infallible>(())
    });
    live
}

struct Loader {
    outbox: Outbox,
    waker: SettingsWaker,
    live: LiveSettings,
    component: Component,
}

impl Loader {
    /// Runs until `stop`. During a failure searches apply the settings that were read last.
    async fn run(self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            let delay = match self.load().await {
                Ok(()) => {
                    self.component.up();
                    POLL_INTERVAL
                }
                Err(error) => {
                    self.component.down(problem::chain(&error));
                    tracing::warn!(error = problem::chain(&error), "failed to load the settings");
                    RETRY_DELAY
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.waker.woken() => {}
                () = self.outbox.pause(delay) => {}
            }
        }
    }

    /// Loads the settings, unless they are those in use.
    async fn load(&self) -> Result<(), sqlx::Error> {
        let mut connection = self.outbox.pool().acquire().await?;
        let in_use = self.live.settings().map(|settings| settings.revision());
        if in_use != Some(settings::revision(&mut connection).await?) {
            let history = settings::load(&mut connection).await?;
            self.live.replace(SearchSettings::new(history));
        }
        Ok(())
    }
}
