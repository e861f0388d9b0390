//! How the clock is woken: whoever commits a deadline says so, and the clock sleeps no longer than that.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use chrono::{DateTime, Utc};
use tokio::sync::Notify;

/// The alarm of the clock. Clones are the same alarm.
#[derive(Debug, Clone, Default)]
pub(super) struct Alarm(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    wake: Notify,
    /// Until when the clock sleeps, in microseconds of Unix time; far in the future while it is awake, so that whatever
    /// is committed meanwhile makes it look once more.
    sleeping_until: AtomicI64,
}

impl Alarm {
    /// A deadline was committed: wakes the clock if it would sleep past it.
    pub(super) fn set(&self, due: DateTime<Utc>) {
        if due.timestamp_micros() < self.0.sleeping_until.load(Ordering::SeqCst) {
            self.0.wake.notify_one();
        }
    }

    /// The clock is about to look for the next deadline.
    pub(super) fn looking(&self) {
        self.0.sleeping_until.store(i64::MAX, Ordering::SeqCst);
    }

    /// The clock has looked, and sleeps until then, or until it is woken.
    pub(super) async fn woken_before(&self, until: DateTime<Utc>) {
        self.0.sleeping_until.store(until.timestamp_micros(), Ordering::SeqCst);
        self.0.wake.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::DateTime;
    use futures::FutureExt;

    use super::Alarm;

    #[test]
    fn an_earlier_deadline_wakes_and_a_later_one_does_not() {
        let (alarm, noon) = (Alarm::default(), DateTime::UNIX_EPOCH + Duration::from_hours(12));
        let minute = Duration::from_mins(1);
        alarm.looking();
        assert!(alarm.woken_before(noon).now_or_never().is_none());
        alarm.set(noon + minute);
        assert!(alarm.woken_before(noon).now_or_never().is_none());
        alarm.set(noon - minute);
        assert!(alarm.woken_before(noon).now_or_never().is_some());
    }

    #[test]
    fn what_is_committed_while_the_clock_looks_makes_it_look_again() {
        let (alarm, noon) = (Alarm::default(), DateTime::UNIX_EPOCH + Duration::from_hours(12));
        alarm.looking();
        alarm.set(noon + Duration::from_mins(1));
        assert!(alarm.woken_before(noon).now_or_never().is_some());
    }
}
