//! Why an order cannot be placed.

use vocabulary::InvalidMoney;

use super::{
    costs::{CostsError, CouponRefusal},
    line::NotForSale,
    order_limits::LimitExceeded,
    shown_prices::PriceChange,
};

/// Why an order cannot be placed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PlaceOrderError {
    #[error(transparent)]
    NotForSale(#[from] NotForSale),
    #[error(transparent)]
    Total(#[from] InvalidMoney),
    #[error(transparent)]
    Coupon(CouponRefusal),
    #[error("no shipping rate covers the order")]
    NoShippingRate,
    #[error("the prices have changed")]
    PriceChanged(Box<PriceChange>),
    #[error(transparent)]
    Limit(#[from] LimitExceeded),
}

impl From<CostsError> for PlaceOrderError {
    fn from(error: CostsError) -> Self {
        match error {
            CostsError::Money(error) => Self::Total(error),
            CostsError::Coupon(refusal) => Self::Coupon(refusal),
            CostsError::NoShippingRate => Self::NoShippingRate,
        }
    }
}
