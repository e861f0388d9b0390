//! Orders whose deadline failed, because their rows are invalid or the result cannot be written.

use std::{collections::HashMap, time::Duration};

use chrono::{DateTime, Utc};
use vocabulary::OrderId;

/// The time between two attempts.
const RETRY_DELAY: Duration = Duration::from_mins(1);

/// Each order with the time of its next attempt. An order stays here until an attempt succeeds. Until then each attempt
/// has a transaction of its own, so that the order fails no other order again.
#[derive(Debug, Default)]
pub(super) struct Quarantine(HashMap<OrderId, DateTime<Utc>>);

impl Quarantine {
    /// Adds an order that failed at `now`, or delays its next attempt.
    pub(super) fn add(&mut self, order: OrderId, now: DateTime<Utc>) {
        self.0.insert(order, now + RETRY_DELAY);
    }

    /// Removes an order after a successful attempt.
    pub(super) fn release(&mut self, order: OrderId) {
        self.0.remove(&order);
    }

    /// The orders whose next attempt is due.
    pub(super) fn due(&self, now: DateTime<Utc>) -> Vec<OrderId> {
        self.0.iter().filter(|(_, retry_at)| **retry_at <= now).map(|(order, _)| *order).collect()
    }

    /// When the next attempt is due.
    pub(super) fn next_attempt(&self) -> Option<DateTime<Utc>> {
        self.0.values().copied().min()
    }

    pub(super) fn all(&self) -> Vec<OrderId> {
        self.0.keys().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::DateTime;
    use vocabulary::OrderId;

    use super::{Quarantine, RETRY_DELAY};

    #[test]
    fn an_order_is_retried_each_minute_until_it_succeeds() {
        let (mut quarantine, order) = (Quarantine::default(), OrderId::new());
        let (noon, millisecond) = (DateTime::UNIX_EPOCH, Duration::from_millis(1));
        quarantine.add(order, noon);
        assert_eq!(quarantine.due(noon + RETRY_DELAY - millisecond), []);
        assert_eq!(quarantine.due(noon + RETRY_DELAY), [order]);
        assert_eq!(quarantine.next_attempt(), Some(noon + RETRY_DELAY));
        assert_eq!(quarantine.all(), [order]);
        quarantine.add(order, noon + RETRY_DELAY);
        assert_eq!(quarantine.due(noon + RETRY_DELAY + millisecond), []);
        quarantine.release(order);
        assert_eq!((quarantine.due(noon + RETRY_DELAY * 3), quarantine.all()), (vec![], vec![]));
    }
}
