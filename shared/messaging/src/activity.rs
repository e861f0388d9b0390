//! Rest: a process that is alone and has nothing to do looks for work less often.
//!
//! Several times a second, loops look for what other processes of the service have written. While no other replica lives, only this
//! process writes, and each of its transactions ends its rest. So does a replica that joins: it notifies the others.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until, timeout_at},
};

/// How long nothing must have happened before the process rests. The result of a commit may be unknown; its events are found
/// meanwhile.
const REST_AFTER: Duration = Duration::from_secs(5);

/// The longest pause of a loop while the process rests.
pub(crate) const REST_INTERVAL: Duration = Duration::from_secs(15);

/// Whether this process rests. Clones share their state.
#[derive(Debug, Clone)]
pub(crate) struct Activity(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    rest_after: Duration,
    began: Instant,
    /// The time of the last activity, in milliseconds since `began`.
    last_ms: AtomicU64,
    /// Whether no other replica of the service lives.
    is_alone: AtomicBool,
    /// Whether a replica that joins can notify this process.
    is_listening: AtomicBool,
    rest_ended: Notify,
}

impl Activity {
    pub(crate) fn new() -> Self {
        Self::resting_after(REST_AFTER)
    }

    fn resting_after(rest_after: Duration) -> Self {
        Self(Arc::new(Inner {
            rest_after,
            began: Instant::now(),
            last_ms: AtomicU64::new(0),
            is_alone: AtomicBool::new(false),
            is_listening: AtomicBool::new(false),
            rest_ended: Notify::new(),
        }))
    }

    /// Ends the rest: this process has work, or another one has written.
    pub(crate) fn record(&self) {
        self.0.last_ms.store(self.elapsed_ms(), Ordering::Release);
        self.0.rest_ended.notify_waiters();
    }

    /// Records whether no other replica of the service lives.
    pub(crate) fn set_alone(&self, is_alone: bool) {
        self.0.is_alone.store(is_alone, Ordering::Release);
        if !is_alone {
            self.0.rest_ended.notify_waiters();
        }
    }

    /// Records that notifications of other processes arrive, until the returned value is dropped.
    pub(crate) fn listening(&self) -> Listening<'_> {
        self.0.is_listening.store(true, Ordering::Release);
        Listening(self)
    }

    pub(crate) fn is_resting(&self) -> bool {
        let quiet = self.elapsed_ms().saturating_sub(self.0.last_ms.load(Ordering::Acquire));
        self.0.is_alone.load(Ordering::Acquire)
            && self.0.is_listening.load(Ordering::Acquire)
            && u128::from(quiet) >= self.0.rest_after.as_millis()
    }

    /// Waits for `interval`; while the process rests, for up to [`REST_INTERVAL`].
    pub(crate) async fn pause(&self, interval: Duration) {
        let now = Instant::now();
        self.pause_until(now + interval, now + REST_INTERVAL).await;
    }

    /// Waits until `at`; while the process rests, until `latest`.
    pub(crate) async fn pause_until(&self, at: Instant, latest: Instant) {
        sleep_until(at).await;
        // Registered before the check, so that no activity in between is missed.
        let mut ended = std::pin::pin!(self.0.rest_ended.notified());
        ended.as_mut().enable();
        if self.is_resting() {
            // At the deadline the caller looks for work, as it does after the rest.
            let _ = timeout_at(latest, ended).await;
        }
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.0.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// While it lives, notifications of other processes arrive.
#[derive(Debug)]
pub(crate) struct Listening<'a>(&'a Activity);

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        self.0.0.is_listening.store(false, Ordering::Release);
        self.0.0.rest_ended.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{Instant, sleep, timeout};

    use super::Activity;

    const QUIET: Duration = Duration::from_millis(50);

    /// Starts a pause that ends after a millisecond, or at rest after an hour. Returns whether it has ended soon.
    async fn ends_soon(activity: &Activity) -> bool {
        let now = Instant::now();
        let (at, latest) = (now + Duration::from_millis(1), now + Duration::from_hours(1));
        timeout(QUIET * 4, activity.pause_until(at, latest)).await.is_ok()
    }

    #[tokio::test]
    async fn only_a_quiet_process_that_is_alone_rests() {
        let activity = Activity::resting_after(QUIET);
        sleep(QUIET).await;
        assert!(ends_soon(&activity).await, "others may live");
        activity.set_alone(true);
        assert!(ends_soon(&activity).await, "a replica that joins is not noticed");
        let listening = activity.listening();
        assert!(!ends_soon(&activity).await);
        drop(listening);
        assert!(ends_soon(&activity).await, "the connection is lost");
        let busy = Activity::resting_after(Duration::from_hours(1));
        busy.set_alone(true);
        let _listening = busy.listening();
        busy.record();
        assert!(ends_soon(&busy).await, "it has just worked");
    }

    #[tokio::test]
    async fn work_and_another_replica_end_the_rest() {
        let activity = Activity::resting_after(QUIET);
        let ends: [fn(&Activity); 2] = [Activity::record, |activity| activity.set_alone(false)];
        let _listening = activity.listening();
        for end in ends {
            activity.set_alone(true);
            sleep(QUIET).await;
            let (now, latest) = (Instant::now(), Instant::now() + Duration::from_hours(1));
            let mut pause = std::pin::pin!(activity.pause_until(now, latest));
            assert!(timeout(QUIET, &mut pause).await.is_err());
            end(&activity);
            timeout(Duration::from_secs(10), pause).await.expect("the rest has not ended");
        }
    }
}
