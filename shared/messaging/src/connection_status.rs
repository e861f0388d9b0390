//! Whether the broker is reachable, for health checks and load shedding.

use std::sync::Arc;

use tokio::sync::watch;

use crate::error::{Error, causes};

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
    /// Why events cannot be received and wait in the broker. `None` if they can.
    pub consumer_down: Option<String>,
}

/// Records the state of both connections. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionMonitor(Arc<watch::Sender<ConnectionStatus>>);

impl ConnectionMonitor {
    pub(crate) fn new() -> Self {
        let waiting = Some("not connected yet".to_owned());
        let first = ConnectionStatus { publisher_down: waiting.clone(), consumer_down: waiting };
        Self(Arc::new(watch::Sender::new(first)))
    }

    pub(crate) fn watch(&self) -> watch::Receiver<ConnectionStatus> {
        self.0.subscribe()
    }

    pub(crate) fn up(&self, link: Link) {
        self.set(link, None);
    }

    pub(crate) fn down(&self, link: Link, error: &Error) {
        self.set(link, Some(causes(error).join(": ")));
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
