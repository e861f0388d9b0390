//! Where an order stands, as one word, and which words can follow which.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where an order stands.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Taken; inventory has not answered yet.
    Placed,
    /// All of it is set aside; it is to be paid for.
    Reserved,
    /// Paid; it is to be shipped.
    Confirmed,
    /// On its way.
    Shipped,
    /// It has arrived.
    Delivered,
    /// Inventory did not have it.
    Rejected,
    /// The payment was declined.
    PaymentFailed,
    /// A deadline passed: nobody paid, or inventory did not answer.
    Expired,
    /// Called off before it was shipped.
    Cancelled,
}

/// A word that is no status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a status is one of {all}", all = Status::ALL.map(Status::as_str).join(", "))]
pub struct UnknownStatus;

impl Status {
    /// Every status there is.
    pub const ALL: [Self; 9] = [
        Self::Placed,
        Self::Reserved,
        Self::Confirmed,
        Self::Shipped,
        Self::Delivered,
        Self::Rejected,
        Self::PaymentFailed,
        Self::Expired,
        Self::Cancelled,
    ];

    /// As it is written in JSON and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::Reserved => "reserved",
            Self::Confirmed => "confirmed",
            Self::Shipped => "shipped",
            Self::Delivered => "delivered",
            Self::Rejected => "rejected",
            Self::PaymentFailed => "payment_failed",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }

    /// What can come next: the whole state machine in one table.
    pub const fn next(self) -> &'static [Self] {
        match self {
            Self::Placed => &[Self::Reserved, Self::Rejected, Self::Expired, Self::Cancelled],
            Self::Reserved => {
                &[Self::Confirmed, Self::PaymentFailed, Self::Expired, Self::Cancelled]
            }
            Self::Confirmed => &[Self::Shipped, Self::Cancelled],
            Self::Shipped => &[Self::Delivered],
            Self::Delivered
            | Self::Rejected
            | Self::PaymentFailed
            | Self::Expired
            | Self::Cancelled => &[],
        }
    }

    /// Whether nothing can come any more.
    pub const fn is_final(self) -> bool {
        self.next().is_empty()
    }

    /// Whether an order that stands here now can stand at `other` later, be it by several steps.
    pub fn may_become(self, other: Self) -> bool {
        self.next().iter().any(|next| *next == other || next.may_become(other))
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Status {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or(UnknownStatus)
    }
}

#[cfg(test)]
mod tests {
    use super::Status;

    #[test]
    fn every_status_reads_back_as_itself() {
        for status in Status::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
        assert!("returned".parse::<Status>().is_err());
    }

    #[test]
    fn what_has_been_passed_or_missed_does_not_come_any_more() {
        assert!(Status::Placed.may_become(Status::Delivered));
        assert!(!Status::Shipped.may_become(Status::Confirmed));
        assert!(!Status::Shipped.may_become(Status::Cancelled));
        assert!(Status::ALL.iter().all(|status| !Status::Expired.may_become(*status)));
    }
}
