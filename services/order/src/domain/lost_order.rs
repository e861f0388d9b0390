//! Orders whose commits were lost when the database of this service went back to an earlier state.

use std::str::FromStr;

use super::{order::EndReason, status::OrderStatus};

/// What inventory tells about the stock of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReportedStock {
    Reserved,
    Rejected,
    Released,
    /// It has left the warehouse: only an operator can find out to whom.
    Deducted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be one of {all}", all = ReportedStock::ALL.map(ReportedStock::as_str).join(", "))]
pub(crate) struct UnknownStock;

impl ReportedStock {
    const ALL: [Self; 4] = [Self::Reserved, Self::Rejected, Self::Released, Self::Deducted];

    /// The name in JSON and in the database.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Rejected => "rejected",
            Self::Released => "released",
            Self::Deducted => "deducted",
        }
    }

    /// Whether an order with this status cannot have such stock, unless its commits were lost.
    pub(crate) fn contradicts(self, status: OrderStatus) -> bool {
        self == Self::Deducted && !matches!(status, OrderStatus::Shipped | OrderStatus::Delivered)
    }
}

impl FromStr for ReportedStock {
    type Err = UnknownStock;

    fn from_str(text: &str) -> Result<Self, UnknownStock> {
        Self::ALL.into_iter().find(|stock| stock.as_str() == text).ok_or(UnknownStock)
    }
}

/// Why an order ends whose commits were lost.
pub(crate) fn lost_reason() -> EndReason {
    EndReason::new("lost", "The order was lost when the database of the shop was restored.")
}

#[cfg(test)]
mod tests {
    use super::ReportedStock;
    use crate::domain::OrderStatus;

    #[test]
    fn only_deducted_stock_contradicts_an_order() {
        for stock in ReportedStock::ALL {
            assert_eq!(stock.as_str().parse(), Ok(stock));
            for status in OrderStatus::ALL {
                let has_left = [OrderStatus::Shipped, OrderStatus::Delivered].contains(&status);
                let expected = stock == ReportedStock::Deducted && !has_left;
                assert_eq!(stock.contradicts(status), expected, "{stock:?}, {status}");
            }
        }
    }
}
