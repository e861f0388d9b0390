//! The running messaging of a service.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{BatchSize, Connectivity, Kit, Topology, connectivity::Board, consumer, relay};

/// What relay and consumers have to know.
#[derive(Debug)]
pub struct Settings {
    pub(crate) amqp_url: String,
    pub(crate) topology: Topology,
    pub(crate) connectivity: Board,
    /// How many rows of the outbox one round takes.
    pub(crate) rounds: BatchSize,
}

/// The relay and the consumers of a service, ready to run.
#[derive(Debug, Clone)]
pub struct Messaging {
    kit: Kit,
    settings: Arc<Settings>,
}

impl Messaging {
    /// Messaging for the service that `topology` names, on the broker at `amqp_url`.
    pub fn new(kit: Kit, amqp_url: impl Into<String>, topology: Topology) -> Self {
        let (amqp_url, connectivity) = (amqp_url.into(), Board::new());
        let settings = Settings { amqp_url, topology, connectivity, rounds: BatchSize::default() };
        Self { kit, settings: Arc::new(settings) }
    }

    /// How many events the relay carries in one round. It is said before anything runs.
    #[must_use]
    pub fn rounds(mut self, size: BatchSize) -> Self {
        if let Some(settings) = Arc::get_mut(&mut self.settings) {
            settings.rounds = size;
        }
        self
    }

    /// What the service says and hears.
    pub fn topology(&self) -> &Topology {
        &self.settings.topology
    }

    /// Whether events leave and arrive, now and whenever it changes.
    pub fn connectivity(&self) -> watch::Receiver<Connectivity> {
        self.settings.connectivity.watch()
    }

    /// Carries events out of the outbox until `stop`. It outlives every trouble of broker and database.
    pub async fn relay(self, stop: CancellationToken) {
        relay::run(&self.kit, &self.settings, &stop).await;
    }

    /// Hears events until `stop`, and finishes what is in hand. It outlives every trouble of broker and database.
    pub async fn consume(self, stop: CancellationToken) {
        consumer::run(&self.kit, &self.settings, &stop).await;
    }
}
