//! Orders that the clock has set aside because it failed over them, whether their rows cannot be read or what is due cannot
//! be written.

use std::{collections::HashMap, time::Duration};

use chrono::{DateTime, Utc};
use vocabulary::OrderId;

/// For how long an order is left alone.
const REST: Duration = Duration::from_mins(1);

/// The orders, each with the time from which on it may be tried again. An order stays here until it is tried with success, and is
/// tried alone until then, so that it takes others along once at most.
#[derive(Debug, Default)]
pub(super) struct Aside(HashMap<OrderId, DateTime<Utc>>);

impl Aside {
    /// The clock failed over `order` at `now`.
    pub(super) fn put(&mut self, order: OrderId, now: DateTime<Utc>) {
        self.0.insert(order, now + REST);
    }

    /// The clock did not fail over `order`.
    pub(super) fn forget(&mut self, order: OrderId) {
        self.0.remove(&order);
    }

    /// Those that have been left alone for long enough.
    pub(super) fn rested(&self, now: DateTime<Utc>) -> Vec<OrderId> {
        self.0.iter().filter(|(_, until)| **until <= now).map(|(order, _)| *order).collect()
    }

    /// All of them, to be left out.
    pub(super) fn all(&self) -> Vec<OrderId> {
        self.0.keys().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::DateTime;
    use vocabulary::OrderId;

    use super::{Aside, REST};

    #[test]
    fn what_failed_rests_for_a_minute_each_time_and_is_left_out_until_it_succeeds() {
        let (mut aside, order) = (Aside::default(), OrderId::new());
        let (noon, breath) = (DateTime::UNIX_EPOCH, Duration::from_millis(1));
        aside.put(order, noon);
        assert_eq!(aside.rested(noon + REST - breath), []);
        assert_eq!(aside.rested(noon + REST), [order]);
        assert_eq!(aside.all(), [order], "it is tried alone");
        aside.put(order, noon + REST);
        assert_eq!(aside.rested(noon + REST + breath), []);
        aside.forget(order);
        assert_eq!((aside.rested(noon + REST * 3), aside.all()), (vec![], vec![]));
    }
}
