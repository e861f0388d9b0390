//! Backpressure: how full the outbox is, and which writes are accepted.
//!
//! [`outbox_monitor`](super::outbox_monitor) checks the outbox; writes only read its result. Events emitted by handlers are never refused: their cause is acknowledged after they are
//! committed, so a refusal would move the load back into the queues, block their consumers, and interrupt compensations. Their
//! number is bounded by the writes accepted before.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

use super::admission::{Admission, Criticality};

const RETRY_AFTER: Duration = Duration::from_secs(2);

/// If the outbox is full: it drains about ten thousand rows a second.
const RETRY_AFTER_FULL: Duration = Duration::from_secs(10);

/// How full the outbox is, and which writes it refuses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BackpressureState {
    /// Unpublished rows; an upper bound.
    pub outbox_rows: i64,
    /// The age of the oldest row; zero if there is none.
    pub outbox_age: Duration,
    pub(super) admission: Admission,
}

/// A write is refused because of backpressure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Overloaded {
    /// A stable code: `broker_unavailable` or `outbox_full`.
    pub code: &'static str,
    /// An explanation for people.
    pub reason: String,
    pub retry_after: Duration,
}

impl BackpressureState {
    /// Checks whether a write of this criticality is accepted.
    pub fn admit(&self, criticality: Criticality) -> Result<(), Overloaded> {
        let Some(refusal) = self.admission.refusal(criticality) else { return Ok(()) };
        let retry_after = match self.admission {
            Admission::None(_) => RETRY_AFTER_FULL,
            Admission::All | Admission::CriticalOnly(_) => RETRY_AFTER,
        };
        Err(Overloaded { code: refusal.code, reason: refusal.reason.clone(), retry_after })
    }
}

/// Shares the backpressure state of a process. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Backpressure(Arc<watch::Sender<BackpressureState>>);

impl Backpressure {
    /// Accepts every write until the first check.
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(BackpressureState::default())))
    }

    pub(super) fn watch(&self) -> watch::Receiver<BackpressureState> {
        self.0.subscribe()
    }

    pub(super) fn admit(&self, criticality: Criticality) -> Result<(), Overloaded> {
        self.0.borrow().admit(criticality)
    }

    /// Shares a new state. Watchers are told only if it differs.
    pub(super) fn set(&self, state: BackpressureState) {
        self.0.send_if_modified(|current| {
            let is_new = *current != state;
            *current = state;
            is_new
        });
    }
}
