//! Partitions whose messages the broker does not confirm.
//!
//! A suspended partition is not published with the others: one queue without a majority must not stop the events of all
//! other queues. Probes try it again, with a growing delay (a circuit breaker per partition).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use super::partition::Partition;

/// The delay before the first probe of a partition. It doubles with each failure.
const FIRST_DELAY: Duration = Duration::from_millis(500);

const MAX_DELAY: Duration = Duration::from_secs(10);

/// A partition that fails within this time after its release continues its series of failures.
const STABLE_AFTER: Duration = Duration::from_secs(30);

/// The suspended partitions, and those that were released recently.
#[derive(Debug, Default)]
pub(crate) struct Suspensions(BTreeMap<Partition, Suspension>);

#[derive(Debug)]
struct Suspension {
    /// The number of failures in a row.
    failures: u32,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Suspended { retry_at: Instant },
    Released { at: Instant },
}

impl Suspensions {
    /// Suspends a partition, or lengthens its delay.
    pub(crate) fn suspend(&mut self, partition: Partition, now: Instant) {
        let initial = Suspension { failures: 0, state: State::Released { at: now } };
        let suspension = self.0.entry(partition).or_insert(initial);
        suspension.failures = match suspension.state {
            State::Released { at } if now.duration_since(at) > STABLE_AFTER => 1,
            State::Suspended { .. } | State::Released { .. } => {
                suspension.failures.saturating_add(1)
            }
        };
        suspension.state = State::Suspended { retry_at: now + delay(suspension.failures) };
    }

    /// Publishes a partition with the others again.
    pub(crate) fn release(&mut self, partition: &Partition, now: Instant) {
        if let Some(suspension) = self.0.get_mut(partition) {
            suspension.state = State::Released { at: now };
        }
        self.0.retain(|_, suspension| match suspension.state {
            State::Suspended { .. } => true,
            State::Released { at } => now.duration_since(at) <= STABLE_AFTER,
        });
    }

    /// Makes all suspended partitions due.
    fn retry_now(&mut self, now: Instant) {
        for suspension in self.0.values_mut() {
            if let State::Suspended { retry_at } = &mut suspension.state {
                *retry_at = now;
            }
        }
    }

    /// The suspended partitions, with the time of their next probe.
    pub(crate) fn suspended(&self) -> impl Iterator<Item = (&Partition, Instant)> {
        self.0.iter().filter_map(|(partition, suspension)| match suspension.state {
            State::Suspended { retry_at } => Some((partition, retry_at)),
            State::Released { .. } => None,
        })
    }
}

/// The delay after this number of failures.
fn delay(failures: u32) -> Duration {
    let factor = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
    FIRST_DELAY.saturating_mul(factor).min(MAX_DELAY)
}

/// The suspended partitions of a relay, shared by its rounds and its probes.
#[derive(Debug, Default)]
pub(crate) struct SuspendedPartitions {
    suspensions: Mutex<Suspensions>,
    changed: Notify,
}

impl SuspendedPartitions {
    pub(super) fn suspend(&self, partitions: BTreeSet<Partition>) {
        let now = Instant::now();
        let mut suspensions = self.lock();
        for partition in partitions {
            suspensions.suspend(partition, now);
        }
        self.changed.notify_one();
    }

    pub(super) fn release(&self, partition: &Partition) {
        self.lock().release(partition, Instant::now());
    }

    /// Forgets all suspensions: another process leads.
    pub(super) fn clear(&self) {
        self.lock().0.clear();
    }

    /// Makes all suspended partitions due: the connection failed as a whole, and works again.
    pub(super) fn retry_now(&self) {
        self.lock().retry_now(Instant::now());
        self.changed.notify_one();
    }

    /// The suspended partitions.
    pub(super) fn all(&self) -> Vec<Partition> {
        self.lock().suspended().map(|(partition, _)| partition.clone()).collect()
    }

    /// The routing keys of the suspended partitions.
    pub(super) fn names(&self) -> Vec<String> {
        self.lock().suspended().map(|(partition, _)| partition.to_string()).collect()
    }

    /// The partitions to probe now.
    pub(super) fn due(&self) -> Vec<Partition> {
        let now = Instant::now();
        let suspensions = self.lock();
        let due = suspensions.suspended().filter(|(_, retry_at)| *retry_at <= now);
        due.map(|(partition, _)| partition.clone()).collect()
    }

    /// The time of the next probe, if any partition is suspended.
    pub(super) fn next_retry(&self) -> Option<Instant> {
        self.lock().suspended().map(|(_, retry_at)| retry_at).min()
    }

    /// Fires when the time of the next probe may have changed.
    pub(super) const fn changed(&self) -> &Notify {
        &self.changed
    }

    fn lock(&self) -> MutexGuard<'_, Suspensions> {
        self.suspensions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Partition, Suspensions};

    fn partition(slot: i16) -> Partition {
        Partition { aggregate: "order".to_owned(), slot }
    }

    /// The delay until the next probe of the only suspended partition, in milliseconds.
    fn wait(suspensions: &Suspensions, now: Instant) -> Option<u128> {
        let retry_at = suspensions.suspended().map(|(_, retry_at)| retry_at).next()?;
        Some(retry_at.duration_since(now).as_millis())
    }

    #[test]
    fn the_delay_doubles_with_each_failure_up_to_a_maximum() {
        let (mut suspensions, now) = (Suspensions::default(), Instant::now());
        let delays: Vec<_> = (0..7)
            .map(|_| {
                suspensions.suspend(partition(1), now);
                wait(&suspensions, now).unwrap()
            })
            .collect();
        assert_eq!(delays, [500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
    }

    #[test]
    fn only_a_stable_release_ends_a_series_of_failures() {
        let (mut suspensions, start) = (Suspensions::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        suspensions.suspend(partition(1), start);
        suspensions.release(&partition(1), start);
        assert_eq!(wait(&suspensions, start), None);
        suspensions.suspend(partition(1), after(1));
        assert_eq!(wait(&suspensions, after(1)), Some(1000));
        suspensions.release(&partition(1), after(2));
        suspensions.suspend(partition(1), after(40));
        assert_eq!(wait(&suspensions, after(40)), Some(500));
    }

    #[test]
    fn old_releases_are_forgotten() {
        let (mut suspensions, start) = (Suspensions::default(), Instant::now());
        for slot in 0..3 {
            suspensions.suspend(partition(slot), start);
            suspensions.release(&partition(slot), start);
        }
        suspensions.release(&partition(9), start + Duration::from_secs(31));
        assert!(suspensions.0.is_empty());
    }
}
