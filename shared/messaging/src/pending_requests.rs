//! Requests for missing messages that this process has not sent yet.

use std::{
    collections::BTreeMap,
    mem,
    sync::{Mutex, PoisonError},
};

use tokio::sync::Notify;

use crate::message_position::MissingMessages;

/// The requests of all consumers of a process. A new request for the same messages replaces the old one.
#[derive(Debug, Default)]
pub(crate) struct PendingRequests {
    /// By publisher, aggregate and slot.
    requests: Mutex<BTreeMap<(String, String, i16), MissingMessages>>,
    added: Notify,
}

impl PendingRequests {
    pub(crate) fn add(&self, publisher: String, request: MissingMessages) {
        let key = (publisher, request.aggregate.clone(), request.slot);
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).insert(key, request);
        self.added.notify_one();
    }

    /// Waits for requests, and returns them with their publishers.
    pub(crate) async fn next(&self) -> Vec<(String, MissingMessages)> {
        loop {
            let requests =
                mem::take(&mut *self.requests.lock().unwrap_or_else(PoisonError::into_inner));
            if !requests.is_empty() {
                return requests
                    .into_iter()
                    .map(|((publisher, ..), request)| (publisher, request))
                    .collect();
            }
            self.added.notified().await;
        }
    }
}
