//! The status of a delivery.

use std::str::FromStr;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeliveryStatus {
    /// Waits for its next attempt, or for an earlier message of its key.
    Pending,
    Delivered,
    /// Given up after the last attempt.
    Failed,
    /// Not sent, because its endpoint was disabled.
    Discarded,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a status of a delivery")]
pub(crate) struct UnknownDeliveryStatus;

impl DeliveryStatus {
    pub(crate) const ALL: [Self; 4] =
        [Self::Pending, Self::Delivered, Self::Failed, Self::Discarded];

    /// The name in JSON and in the database.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Discarded => "discarded",
        }
    }
}

impl FromStr for DeliveryStatus {
    type Err = UnknownDeliveryStatus;

    fn from_str(text: &str) -> Result<Self, UnknownDeliveryStatus> {
        let found = Self::ALL.into_iter().find(|status| status.as_str() == text);
        found.ok_or(UnknownDeliveryStatus)
    }
}
