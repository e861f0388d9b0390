//! Wakes the deadline worker of this process when a transaction commits an earlier deadline.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use chrono::{DateTime, Utc};
use tokio::sync::Notify;

/// Clones share the same state.
#[derive(Debug, Clone, Default)]
pub(crate) struct DeadlineWaker(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    notify: Notify,
    /// When the worker wakes by itself, in microseconds of Unix time. `i64::MAX` while the worker runs: a deadline that
    /// is committed meanwhile makes it read the next deadline again.
    sleeping_until: AtomicI64,
}

impl DeadlineWaker {
    /// Wakes the worker if it would sleep past `deadline`. Call it after the commit.
    pub(super) fn wake_before(&self, deadline: DateTime<Utc>) {
        if deadline.timestamp_micros() < self.0.sleeping_until.load(Ordering::SeqCst) {
            self.0.notify.notify_one();
        }
    }

    /// The worker is about to read the next deadline.
    pub(crate) fn set_awake(&self) {
        self.0.sleeping_until.store(i64::MAX, Ordering::SeqCst);
    }

    /// Returns when a deadline before `until` was committed. The caller itself wakes at `until`.
    pub(crate) async fn earlier_deadline(&self, until: DateTime<Utc>) {
        self.0.sleeping_until.store(until.timestamp_micros(), Ordering::SeqCst);
        self.0.notify.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::DateTime;
    use futures::FutureExt as _;

    use super::DeadlineWaker;

    #[test]
    fn only_an_earlier_deadline_wakes_the_worker() {
        let (waker, noon) =
            (DeadlineWaker::default(), DateTime::UNIX_EPOCH + Duration::from_hours(12));
        let minute = Duration::from_mins(1);
        waker.set_awake();
        assert!(waker.earlier_deadline(noon).now_or_never().is_none());
        waker.wake_before(noon + minute);
        assert!(waker.earlier_deadline(noon).now_or_never().is_none());
        waker.wake_before(noon - minute);
        assert!(waker.earlier_deadline(noon).now_or_never().is_some());
    }

    #[test]
    fn a_commit_while_the_worker_is_awake_is_not_lost() {
        let (waker, noon) =
            (DeadlineWaker::default(), DateTime::UNIX_EPOCH + Duration::from_hours(12));
        waker.set_awake();
        waker.wake_before(noon + Duration::from_mins(1));
        assert!(waker.earlier_deadline(noon).now_or_never().is_some());
    }
}
