//! The status of a parcel.

use std::str::FromStr;

use super::status::OrderStatus;

/// The way of a parcel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ParcelStatus {
    /// In the warehouse.
    Pending,
    /// A carrier has it.
    Shipped,
    Delivered,
}

impl ParcelStatus {
    pub(crate) const ALL: [Self; 3] = [Self::Pending, Self::Shipped, Self::Delivered];

    /// The name in JSON and in the database.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Shipped => "shipped",
            Self::Delivered => "delivered",
        }
    }

    /// What the status of an order says about each of its parcels, at least.
    pub(crate) const fn at_least(order: OrderStatus) -> Self {
        match order {
            OrderStatus::Delivered | OrderStatus::Returned => Self::Delivered,
            OrderStatus::Shipped => Self::Shipped,
            OrderStatus::Placed
            | OrderStatus::Reserved
            | OrderStatus::Confirmed
            | OrderStatus::Rejected
            | OrderStatus::PaymentFailed
            | OrderStatus::Expired
            | OrderStatus::Cancelled => Self::Pending,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be one of {all}", all = ParcelStatus::ALL.map(ParcelStatus::as_str).join(", "))]
pub(crate) struct UnknownParcelStatus;

impl FromStr for ParcelStatus {
    type Err = UnknownParcelStatus;

    fn from_str(text: &str) -> Result<Self, UnknownParcelStatus> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or(UnknownParcelStatus)
    }
}

#[cfg(test)]
mod tests {
    use super::ParcelStatus;

    #[test]
    fn every_status_survives_a_round_trip_through_its_name() {
        for status in ParcelStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
        }
        assert!("lost".parse::<ParcelStatus>().is_err());
    }
}
