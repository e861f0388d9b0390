//! The messaging runtime of a service: its relay and its consumers.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    batch_size::BatchSize,
    broker::{self, Session},
    connection_status::{ConnectionMonitor, ConnectionStatus},
    consume,
    declare::{Rights, declare_all},
    difference::Difference,
    error::Error,
    pending_requests::PendingRequests,
    publish::{
        admission::OutboxBounds,
        backpressure::BackpressureState,
        message_log::{self, MessageLogBounds},
        outbox::Outbox,
        outbox_monitor, relay,
    },
    queue_metrics,
    settings::Settings,
    topology::Topology,
    topology_watch,
};

/// Declares the exchange of the service, its queues and bindings, and the exchanges of the publishers that it subscribes to. So
/// services may start in any order. Repeating the declaration changes nothing.
///
/// Returns what exists with other properties.
pub async fn declare(amqp_url: &str, topology: &Topology) -> Result<Vec<Difference>, Error> {
    let name = format!("{}: topology", topology.service());
    let rights = Rights::of(amqp_url, topology.service());
    let session = Session::connect(amqp_url, &name, broker::HEARTBEAT).await?;
    let differences = declare_all(&session.channels()?, &topology.declarations(), rights).await;
    session.close().await;
    differences
}

/// The relay and the consumers of a service, ready to run.
#[derive(Debug, Clone)]
pub struct MessagingRuntime {
    outbox: Outbox,
    settings: Arc<Settings>,
    topology: Arc<Topology>,
    bounds: OutboxBounds,
    relay_batch: BatchSize,
    log_bounds: MessageLogBounds,
}

impl MessagingRuntime {
    /// Creates the runtime of the service that `topology` describes.
    ///
    /// `amqp_url` lists the nodes of the cluster, separated by commas. Each connection, also after a failure, uses the first
    /// node that answers.
    pub fn new(outbox: Outbox, amqp_url: impl Into<String>, topology: Topology) -> Self {
        let settings = Settings {
            amqp_url: amqp_url.into(),
            service: topology.service(),
            declarations: topology.declarations(),
            slot_groups: topology.groups().clone(),
            connections: ConnectionMonitor::new(),
            requests: PendingRequests::default(),
            replica: outbox.new_replica(),
        };
        Self {
            outbox,
            settings: Arc::new(settings),
            topology: Arc::new(topology),
            bounds: OutboxBounds::default(),
            relay_batch: BatchSize::default(),
            log_bounds: MessageLogBounds::default(),
        }
    }

    /// Sets the bounds of the outbox.
    #[must_use]
    pub const fn outbox_bounds(mut self, bounds: OutboxBounds) -> Self {
        self.bounds = bounds;
        self
    }

    /// Sets how much of what was published is kept.
    #[must_use]
    pub const fn message_log(mut self, bounds: MessageLogBounds) -> Self {
        self.log_bounds = bounds;
        self
    }

    /// Sets how many events the relay publishes per round.
    #[must_use]
    pub const fn relay_batch(mut self, size: BatchSize) -> Self {
        self.relay_batch = size;
        self
    }

    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// Whether events can be published and received, now and after every change.
    pub fn connection_status(&self) -> watch::Receiver<ConnectionStatus> {
        self.settings.connections.watch()
    }

    /// The fill level of the outbox and the writes that it refuses, now and after every change.
    pub fn backpressure(&self) -> watch::Receiver<BackpressureState> {
        self.outbox.backpressure()
    }

    /// Publishes events of the outbox until `stop`, and watches its fill level. Failures of broker and database are retried.
    pub async fn relay(self, stop: CancellationToken) {
        let connections = self.settings.connections.watch();
        let watching = outbox_monitor::watch(&self.outbox, self.bounds, connections, &stop);
        let keeping =
            message_log::keep(&self.outbox, self.log_bounds, self.settings.replica, &stop);
        let relaying = relay::run(&self.outbox, &self.settings, self.relay_batch, &stop);
        // Boxed: a large future would be copied into the task of the caller.
        tokio::join!(Box::pin(relaying), Box::pin(watching), Box::pin(keeping));
    }

    /// Consumes events and measures the queues until `stop`; finishes the current batches first. Failures of broker and database
    /// are retried.
    pub async fn consume(self, stop: CancellationToken) {
        let Self { outbox, settings, topology, .. } = self;
        let subscriptions = topology.subscriptions();
        let queues = consume::queues(&settings, subscriptions);
        let measuring =
            queue_metrics::watch(outbox.stats(), &settings, &queues, outbox.activity(), &stop);
        let declaring = topology_watch::watch(&settings, &stop);
        let asking = consume::requests::send(&settings, outbox.signatures(), &stop);
        tokio::join!(
            consume::run(&outbox, &settings, subscriptions, &stop),
            measuring,
            declaring,
            asking
        );
    }
}
