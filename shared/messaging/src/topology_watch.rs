//! Keeps the topology on the broker as it is declared.
//!
//! The broker reports the deletion of a queue to its consumers. Of a binding or an exchange that is deleted, only its effects are seen:
//! an exchange that its publisher declares again has no bindings, and its events match none. So every process declares its topology
//! again and again, and publishes such events again.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::{
    broker::{self, Session},
    declare,
    error::{Error, causes},
    settings::Settings,
    unrouted_events::{self, Republished},
};

/// How often the topology is declared: a service with two subscriptions sends about fifty requests each time.
const INTERVAL: Duration = Duration::from_secs(15);

/// The delay after the first of these attempts: less than the interval, so that the next one follows at once.
const FIRST_DELAY: Duration = Duration::from_secs(7);

/// The longest delay between two attempts to publish events that matched no binding before.
const MAX_DELAY: Duration = Duration::from_mins(10);

/// Declares until `stop`, on connections of its own, because a broker that is slow to declare must not delay the consumers. They and
/// the relay report whether the broker is reachable.
pub(crate) async fn watch(settings: &Settings, stop: &CancellationToken) {
    let mut watch =
        Watch { settings, session: None, delay: FIRST_DELAY, republish_at: Instant::now() };
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The consumers and the relay declare when they start.
    ticks.reset();
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        match stop.run_until_cancelled(Box::pin(watch.run_once())).await {
            None => break,
            Some(Ok(())) => {}
            Some(Err(error)) => {
                tracing::debug!(causes = ?causes(&error), "failed to declare the topology again");
                watch.session = None;
            }
        }
    }
    if let Some(session) = watch.session {
        session.close().await;
    }
}

struct Watch<'a> {
    settings: &'a Settings,
    session: Option<Session>,
    /// How long to wait after the next attempt to publish unrouted events.
    delay: Duration,
    republish_at: Instant,
}

impl Watch<'_> {
    async fn run_once(&mut self) -> Result<(), Error> {
        let Settings { amqp_url, service, .. } = self.settings;
        let open = if let Some(open) = self.session.take() {
            open
        } else {
            let name = format!("{service}: topology");
            Session::connect(amqp_url, &name, broker::HEARTBEAT).await?
        };
        let channels = self.session.insert(open).channels()?;
        declare::declare_topology(&channels, self.settings).await?;
        if Instant::now() < self.republish_at {
            return Ok(());
        }
        let republished = unrouted_events::republish_on(&channels, amqp_url, service).await?;
        let Republished { messages, unrouted } = republished;
        if messages > unrouted {
            tracing::warn!(
                messages,
                unrouted,
                "published events again that had matched no binding"
            );
        }
        self.republish_at = Instant::now() + self.delay;
        self.delay = if unrouted == 0 { FIRST_DELAY } else { (self.delay * 2).min(MAX_DELAY) };
        Ok(())
    }
}
