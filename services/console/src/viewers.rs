//! The open operations pages. The workers do nothing while there are none.

use std::sync::Arc;

use tokio::sync::watch;

use crate::status::{BrokerStatus, ServiceHealth, Status};

/// How many pages may be open at once.
const MAX_VIEWERS: usize = 64;

/// Counts the open pages and holds the status that they show. Clones share both.
#[derive(Debug, Clone)]
pub(crate) struct Viewers {
    count: Arc<watch::Sender<usize>>,
    status: Arc<watch::Sender<Status>>,
}

impl Default for Viewers {
    fn default() -> Viewers {
        Viewers {
            count: Arc::new(watch::Sender::new(0)),
            status: Arc::new(watch::Sender::new(Status::default())),
        }
    }
}

impl Viewers {
    /// Counts one page for as long as the guard lives; `None` when [`MAX_VIEWERS`] are open.
    pub(crate) fn join(&self) -> Option<ViewerGuard> {
        let admitted = self.count.send_if_modified(|count| {
            let free = *count < MAX_VIEWERS;
            *count += usize::from(free);
            free
        });
        admitted.then(|| ViewerGuard(self.count.clone()))
    }

    /// Waits until at least one page is open.
    pub(crate) async fn wait_for_one(&self) {
        // `self` holds the sender, so waiting cannot fail.
        let _ = self.count.subscribe().wait_for(|count| *count > 0).await;
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self.count.borrow() == 0
    }

    /// The status and its changes. The current one counts as a change, so that a new page receives it at once.
    pub(crate) fn status(&self) -> watch::Receiver<Status> {
        let mut status = self.status.subscribe();
        status.mark_changed();
        status
    }

    pub(crate) fn set_broker(&self, broker: BrokerStatus) {
        self.status.send_if_modified(|status| {
            let changed = status.broker != broker;
            status.broker = broker;
            changed
        });
    }

    pub(crate) fn set_services(&self, services: Vec<ServiceHealth>) {
        self.status.send_if_modified(|status| {
            let changed = status.services != services;
            status.services = services;
            changed
        });
    }
}

pub(crate) struct ViewerGuard(Arc<watch::Sender<usize>>);

impl Drop for ViewerGuard {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}
