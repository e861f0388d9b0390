//! Coupon codes.

use std::{fmt, str::FromStr};

/// The maximum number of codes of a promotion.
pub(crate) const MAX_COUPONS: usize = 1_000;

const MIN_LENGTH: usize = 3;
const MAX_LENGTH: usize = 40;

/// A code that a customer enters: capital letters, digits, `-` and `_`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CouponCode(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have {MIN_LENGTH} to {MAX_LENGTH} letters A to Z, digits, - or _")]
pub(crate) struct InvalidCouponCode;

impl CouponCode {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CouponCode {
    type Err = InvalidCouponCode;

    /// Without the white space around it, in any case.
    fn from_str(text: &str) -> Result<Self, InvalidCouponCode> {
        let text = text.trim();
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if (MIN_LENGTH..=MAX_LENGTH).contains(&text.len()) && text.bytes().all(is_allowed) {
            Ok(Self(text.to_ascii_uppercase()))
        } else {
            Err(InvalidCouponCode)
        }
    }
}

impl fmt::Display for CouponCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{CouponCode, InvalidCouponCode};

    #[test]
    fn codes_are_read_in_any_case() {
        assert_eq!(" summer-25 ".parse::<CouponCode>().unwrap().as_str(), "SUMMER-25");
        for bad in ["", "AB", "夏天夏天", "A B C", "A\nBC", &"A".repeat(41)] {
            assert_eq!(bad.parse::<CouponCode>(), Err(InvalidCouponCode), "{bad:?}");
        }
    }
}
