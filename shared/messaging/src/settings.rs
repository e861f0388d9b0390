//! The running messaging of a service.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    BackpressureState, BatchSize, ConnectionStatus, Outbox, OutboxBounds, Topology,
    connectivity::Board, consumer, pressure, queues, relay,
};

/// What relay and consumers have to know.
#[derive(Debug)]
pub struct Settings {
    pub(crate) amqp_url: String,
    pub(crate) topology: Topology,
    pub(crate) connectivity: Board,
    /// Who this process is among the replicas of the service.
    pub(crate) replica: Uuid,
}

/// The relay and the consumers of a service, ready to run.
#[derive(Debug, Clone)]
pub struct MessagingRuntime {
    outbox: Outbox,
    settings: Arc<Settings>,
    bounds: OutboxBounds,
    /// How many rows of the outbox one round takes.
    rounds: BatchSize,
}

impl MessagingRuntime {
    /// Messaging for the service that `topology` names, on the broker at `amqp_url`: of a cluster the addresses of its nodes,
    /// divided by commas. Each connection goes to the first that answers; one that breaks is made anew in the same way.
    pub fn new(outbox: Outbox, amqp_url: impl Into<String>, topology: Topology) -> Self {
        let settings = Settings {
            amqp_url: amqp_url.into(),
            topology,
            connectivity: Board::new(),
            replica: Uuid::new_v4(),
        };
        let (bounds, rounds) = (OutboxBounds::default(), BatchSize::default());
        Self { outbox, settings: Arc::new(settings), bounds, rounds }
    }

    /// The same with an outbox that may grow so far.
    #[must_use]
    pub const fn outbox_bounds(mut self, bounds: OutboxBounds) -> Self {
        self.bounds = bounds;
        self
    }

    /// How many events the relay carries in one round.
    #[must_use]
    pub const fn relay_batch(mut self, size: BatchSize) -> Self {
        self.rounds = size;
        self
    }

    /// What the service says and hears.
    pub fn topology(&self) -> &Topology {
        &self.settings.topology
    }

    /// Whether events leave and arrive, now and whenever it changes.
    pub fn connection_status(&self) -> watch::Receiver<ConnectionStatus> {
        self.settings.connectivity.watch()
    }

    /// How full the outbox is and what is refused for it, now and whenever it changes.
    pub fn backpressure(&self) -> watch::Receiver<BackpressureState> {
        self.outbox.backpressure()
    }

    // temporary aliases
    #[doc(hidden)]
    #[must_use]
    pub const fn bounded(self, bounds: OutboxBounds) -> Self {
        self.outbox_bounds(bounds)
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn rounds(self, size: BatchSize) -> Self {
        self.relay_batch(size)
    }

    #[doc(hidden)]
    pub fn connectivity(&self) -> watch::Receiver<ConnectionStatus> {
        self.connection_status()
    }

    #[doc(hidden)]
    pub fn pressure(&self) -> watch::Receiver<BackpressureState> {
        self.backpressure()
    }

    /// Carries events out of the outbox until `stop`, and watches how full it is. It outlives every trouble of broker and
    /// database.
    pub async fn relay(self, stop: CancellationToken) {
        let watching = pressure::watch(&self.outbox, self.bounds, self.connection_status(), &stop);
        tokio::join!(relay::run(&self.outbox, &self.settings, self.rounds, &stop), watching);
    }

    /// Hears events until `stop`, and finishes what is in hand; measures the queues meanwhile. It outlives every trouble of broker and database.
    pub async fn consume(self, stop: CancellationToken) {
        let watching = queues::watch(&self.outbox, &self.settings, &stop);
        tokio::join!(consumer::run(&self.outbox, &self.settings, &stop), watching);
    }
}
