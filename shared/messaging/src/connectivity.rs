//! Whether the broker is within reach, for health checks and for shedding load.

use std::sync::Arc;

use tokio::sync::watch;

use crate::{Error, error::causes};

/// What of the broker a service depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    /// The connection that events leave by.
    Publisher,
    /// The connection that events arrive by.
    Consumer,
}

/// Whether a service can speak and hear.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectionStatus {
    /// Why events do not leave: they wait in the outbox. `None` if they do.
    pub publisher_down: Option<String>,
    /// Why events do not arrive: they wait in the broker. `None` if they do.
    pub consumer_down: Option<String>,
}

/// Where the kit says how it fares.
#[derive(Debug, Clone)]
pub(crate) struct Board(Arc<watch::Sender<ConnectionStatus>>);

impl Board {
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
        self.0.send_if_modified(|connectivity| {
            let place = match link {
                Link::Publisher => &mut connectivity.publisher_down,
                Link::Consumer => &mut connectivity.consumer_down,
            };
            let changed = *place != reason;
            *place = reason;
            changed
        });
    }
}
