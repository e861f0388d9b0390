//! The running messaging of a service.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{Connectivity, Kit, Topology, connectivity::Board, consumer, relay};

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
pub struct Messaging {
    kit: Kit,
    settings: Arc<Settings>,
}

impl Messaging {
    /// Messaging for the service that `topology` names, on the broker at `amqp_url`: of a cluster the addresses of its nodes,
    /// divided by commas. Each connection goes to the first that answers; one that breaks is made anew in the same way.
    pub fn new(kit: Kit, amqp_url: impl Into<String>, topology: Topology) -> Self {
        let settings = Settings {
            amqp_url: amqp_url.into(),
            topology,
            connectivity: Board::new(),
            replica: Uuid::new_v4(),
        };
        Self { kit, settings: Arc::new(settings) }
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
