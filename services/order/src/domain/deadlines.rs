//! The time limits of the order process.

use std::time::Duration;

/// How long the order process waits in each state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProcessDeadlines {
    /// From placing an order to the answer of inventory.
    pub(crate) reserve_timeout: Duration,
    /// From the reservation to the payment.
    pub(crate) payment_timeout: Duration,
    /// From the payment to the shipment by the built-in carrier.
    pub(crate) ship_after: Duration,
    /// From the shipment to the delivery by the built-in carrier.
    pub(crate) deliver_after: Duration,
}

impl Default for ProcessDeadlines {
    fn default() -> Self {
        Self {
            reserve_timeout: Duration::from_mins(10),
            payment_timeout: Duration::from_mins(10),
            ship_after: Duration::from_secs(1),
            deliver_after: Duration::from_secs(5),
        }
    }
}
