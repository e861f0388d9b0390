//! The time limits of the order process.

use std::time::Duration;

/// How long the order process waits in each state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProcessDeadlines {
    /// From placing an order to the answer of inventory.
    pub(crate) reserve_timeout: Duration,
    /// From the reservation to the payment.
    pub(crate) payment_timeout: Duration,
    /// The same where fewer than `scarce_pieces` of a SKU are left.
    pub(crate) scarce_payment_timeout: Duration,
    pub(crate) scarce_pieces: i64,
    /// From the payment to the shipment by the built-in carrier. `None` if only other carriers ship.
    pub(crate) ship_after: Option<Duration>,
    /// From the shipment to the delivery by the built-in carrier.
    pub(crate) deliver_after: Duration,
}

impl Default for ProcessDeadlines {
    fn default() -> Self {
        Self {
            reserve_timeout: Duration::from_mins(10),
            payment_timeout: Duration::from_mins(10),
            scarce_payment_timeout: Duration::from_mins(3),
            scarce_pieces: 20,
            ship_after: Some(Duration::from_secs(1)),
            deliver_after: Duration::from_secs(5),
        }
    }
}

impl ProcessDeadlines {
    /// For how long the stock of an unpaid order is held, if `left` pieces of its scarcest SKU are still available.
    pub(super) fn hold(&self, left: Option<i64>) -> Duration {
        let is_scarce = left.is_some_and(|left| left < self.scarce_pieces);
        if is_scarce {
            self.scarce_payment_timeout.min(self.payment_timeout)
        } else {
            self.payment_timeout
        }
    }
}
