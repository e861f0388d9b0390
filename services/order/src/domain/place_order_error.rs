//! Why an order cannot be placed.

use vocabulary::InvalidMoney;

use super::{line::NotForSale, order_limits::LimitExceeded, shown_prices::PriceChange};

/// Why an order cannot be placed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PlaceOrderError {
    #[error(transparent)]
    NotForSale(#[from] NotForSale),
    #[error(transparent)]
    Total(#[from] InvalidMoney),
    #[error("the prices have changed")]
    PriceChanged(Box<PriceChange>),
    #[error(transparent)]
    Limit(#[from] LimitExceeded),
}
