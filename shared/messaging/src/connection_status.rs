//! Whether the broker is reachable, for health checks and load shedding.

use std::{collections::BTreeMap, sync::Arc};

use tokio::sync::watch;

use crate::{
    difference::{Difference, ObjectKind},
    error::{Error, causes},
};

/// A connection of the service to the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    Publisher,
    Consumer,
}

/// Whether a service can publish and receive events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectionStatus {
    /// Why events cannot be published and wait in the outbox. `None` if they can.
    pub publisher_down: Option<String>,
    /// Routing keys whose events the broker does not confirm, because their queue has no majority, for example. They wait in
    /// the outbox; all others are published.
    pub suspended: Vec<String>,
    /// Why events cannot be received and wait in the broker. `None` if they can.
    pub consumer_down: Option<String>,
    /// Queues that cannot be consumed, with the reason. All others are consumed.
    pub failed_queues: BTreeMap<String, String>,
    /// Queues in which messages are missing that were asked for in vain, with their number.
    pub missing_messages: BTreeMap<String, u64>,
    /// Exchanges and queues that exist with other properties than declared.
    pub differences: Vec<Difference>,
}

/// The reason before the first attempt has succeeded or failed.
const STARTING: &str = "not connected yet";

impl ConnectionStatus {
    /// Whether the first attempt to publish is still in progress.
    pub fn is_publisher_starting(&self) -> bool {
        self.publisher_down.as_deref() == Some(STARTING)
    }

    /// Whether the first attempt to consume is still in progress.
    pub fn is_consumer_starting(&self) -> bool {
        self.consumer_down.as_deref() == Some(STARTING)
    }
}

/// Records the state of both connections. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionMonitor(Arc<watch::Sender<ConnectionStatus>>);

impl ConnectionMonitor {
    pub(crate) fn new() -> Self {
        let waiting = Some(STARTING.to_owned());
        let first = ConnectionStatus {
            publisher_down: waiting.clone(),
            suspended: Vec::new(),
            consumer_down: waiting,
            failed_queues: BTreeMap::new(),
            missing_messages: BTreeMap::new(),
            differences: Vec::new(),
        };
        Self(Arc::new(watch::Sender::new(first)))
    }

    pub(crate) fn watch(&self) -> watch::Receiver<ConnectionStatus> {
        self.0.subscribe()
    }

    pub(crate) fn up(&self, link: Link) {
        self.set(link, None);
    }

    /// Whether the broker accepts messages of the relay.
    pub(crate) fn is_publishing(&self) -> bool {
        self.0.borrow().publisher_down.is_none()
    }

    /// Forgets the queues that failed on an earlier connection.
    pub(crate) fn reset_queues(&self) {
        self.0.send_if_modified(|status| !std::mem::take(&mut status.failed_queues).is_empty());
    }

    pub(crate) fn down(&self, link: Link, error: &Error) {
        self.set(link, Some(causes(error).join(": ")));
    }

    /// Records which routing keys are suspended.
    pub(crate) fn suspended(&self, routing_keys: Vec<String>) {
        self.0.send_if_modified(|status| {
            let changed = status.suspended != routing_keys;
            status.suspended = routing_keys;
            changed
        });
    }

    /// Records that a queue cannot be consumed.
    pub(crate) fn queue_failed(&self, queue: &str, error: &Error) {
        let reason = causes(error).join(": ");
        self.0.send_if_modified(|status| {
            let previous = status.failed_queues.insert(queue.to_owned(), reason.clone());
            previous.as_ref() != Some(&reason)
        });
    }

    /// Whether a queue cannot be consumed.
    pub(crate) fn has_failed(&self, queue: &str) -> bool {
        self.0.borrow().failed_queues.contains_key(queue)
    }

    /// Records that a queue is consumed, or no longer consumed by this process.
    pub(crate) fn queue_works(&self, queue: &str) {
        self.0.send_if_modified(|status| status.failed_queues.remove(queue).is_some());
    }

    /// Records how many messages of a queue are missing though they were asked for.
    pub(crate) fn missing(&self, queue: &str, messages: u64) {
        self.0.send_if_modified(|status| {
            let previous = if messages == 0 {
                status.missing_messages.remove(queue)
            } else {
                status.missing_messages.insert(queue.to_owned(), messages)
            };
            previous.unwrap_or_default() != messages
        });
    }

    /// Records and logs what differs from the declared topology.
    pub(crate) fn topology_differs(&self, mut differences: Vec<Difference>) {
        differences.sort_unstable();
        self.0.send_if_modified(|status| {
            let is_change = status.differences != differences;
            if is_change {
                log_changes(&status.differences, &differences);
                status.differences = differences;
            }
            is_change
        });
    }

    /// Fails if an exchange or queue exists in a form in which it cannot be used.
    pub(crate) fn check(&self, kind: ObjectKind, name: &str) -> Result<(), Error> {
        let status = self.0.borrow();
        let mut differences = status.differences.iter();
        let is_unusable =
            |found: &&Difference| found.kind == kind && found.name == name && found.is_unusable;
        let unusable = differences.find(is_unusable);
        unusable.map_or(Ok(()), |found| Err(Error::Differs(Box::new(found.clone()))))
    }

    fn set(&self, link: Link, reason: Option<String>) {
        self.0.send_if_modified(|status| {
            let current = match link {
                Link::Publisher => &mut status.publisher_down,
                Link::Consumer => &mut status.consumer_down,
            };
            let changed = *current != reason;
            *current = reason;
            changed
        });
    }
}

fn log_changes(before: &[Difference], now: &[Difference]) {
    for found in now.iter().filter(|found| !before.contains(found)) {
        tracing::error!(
            kind = %found.kind,
            name = found.name,
            property = found.property,
            wanted = found.wanted,
            found = found.found,
            is_unusable = found.is_unusable,
            "an object of the broker differs from its declaration"
        );
    }
    for gone in before.iter().filter(|gone| !now.contains(gone)) {
        tracing::info!(
            kind = %gone.kind,
            name = gone.name,
            property = gone.property,
            "an object of the broker no longer differs from its declaration"
        );
    }
}
