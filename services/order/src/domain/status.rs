//! The status of an order and the state machine.

use std::{fmt, str::FromStr};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OrderStatus {
    /// Durable; inventory has not answered yet.
    Placed,
    /// The stock is reserved; the payment is pending.
    Reserved,
    /// Paid; the shipment is pending.
    Confirmed,
    Shipped,
    Delivered,
    /// All pieces have come back.
    Returned,
    /// Inventory could not reserve the stock.
    Rejected,
    /// The payment was declined.
    PaymentFailed,
    /// Inventory or the customer did not act before the deadline.
    Expired,
    /// Cancelled before it was shipped.
    Cancelled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be one of {all}", all = OrderStatus::ALL.map(OrderStatus::as_str).join(", "))]
pub(crate) struct UnknownStatus;

impl OrderStatus {
    pub(crate) const ALL: [Self; 10] = [
        Self::Placed,
        Self::Reserved,
        Self::Confirmed,
        Self::Shipped,
        Self::Delivered,
        Self::Returned,
        Self::Rejected,
        Self::PaymentFailed,
        Self::Expired,
        Self::Cancelled,
    ];

    /// The name in JSON and in the database.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::Reserved => "reserved",
            Self::Confirmed => "confirmed",
            Self::Shipped => "shipped",
            Self::Delivered => "delivered",
            Self::Returned => "returned",
            Self::Rejected => "rejected",
            Self::PaymentFailed => "payment_failed",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }

    /// The statuses that may follow: the whole state machine in one table.
    pub(crate) const fn next(self) -> &'static [Self] {
        match self {
            Self::Placed => &[Self::Reserved, Self::Rejected, Self::Expired, Self::Cancelled],
            Self::Reserved => {
                &[Self::Confirmed, Self::PaymentFailed, Self::Expired, Self::Cancelled]
            }
            Self::Confirmed => &[Self::Shipped, Self::Cancelled],
            Self::Shipped => &[Self::Delivered, Self::Returned],
            Self::Delivered => &[Self::Returned],
            Self::Returned
            | Self::Rejected
            | Self::PaymentFailed
            | Self::Expired
            | Self::Cancelled => &[],
        }
    }

    /// Whether a payment was accepted, and the order was not cancelled.
    pub(crate) const fn is_paid(self) -> bool {
        matches!(self, Self::Confirmed | Self::Shipped | Self::Delivered | Self::Returned)
    }

    /// Whether the shipping address is still needed: the order may still be shipped.
    pub(crate) fn needs_address(self) -> bool {
        self.may_become(Self::Shipped)
    }

    /// Whether the process is over. A delivered order may still be returned.
    pub(crate) const fn is_final(self) -> bool {
        matches!(self, Self::Delivered) || self.next().is_empty()
    }

    /// Whether `other` can be reached in one or more steps.
    pub(crate) fn may_become(self, other: Self) -> bool {
        self.next().iter().any(|next| *next == other || next.may_become(other))
    }
}

impl fmt::Display for OrderStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for OrderStatus {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or(UnknownStatus)
    }
}

#[cfg(test)]
mod tests {
    use super::OrderStatus;

    #[test]
    fn every_status_survives_a_round_trip_through_its_name() {
        for status in OrderStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
        }
        assert!("lost".parse::<OrderStatus>().is_err());
    }

    #[test]
    fn the_address_is_needed_until_the_order_is_shipped() {
        let needing: Vec<_> =
            OrderStatus::ALL.into_iter().filter(|status| status.needs_address()).collect();
        assert_eq!(needing, [OrderStatus::Placed, OrderStatus::Reserved, OrderStatus::Confirmed]);
    }

    #[test]
    fn passed_and_missed_statuses_cannot_be_reached() {
        assert!(OrderStatus::Placed.may_become(OrderStatus::Delivered));
        assert!(OrderStatus::Delivered.may_become(OrderStatus::Returned));
        assert!(OrderStatus::Delivered.is_final() && !OrderStatus::Shipped.is_final());
        assert!(!OrderStatus::Shipped.may_become(OrderStatus::Confirmed));
        assert!(!OrderStatus::Shipped.may_become(OrderStatus::Cancelled));
        assert!(OrderStatus::ALL.iter().all(|status| !OrderStatus::Expired.may_become(*status)));
    }
}
