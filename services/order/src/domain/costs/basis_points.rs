//! Shares of an amount, in hundredths of a percent.

/// The whole: 100 %.
const WHOLE: u32 = 10_000;

/// A share in hundredths of a percent, up to 100 %: 1300 is 13 %.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BasisPoints(u32);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be from 0 to {WHOLE} hundredths of a percent")]
pub(crate) struct InvalidBasisPoints;

impl BasisPoints {
    pub(crate) const fn get(self) -> u32 {
        self.0
    }

    /// This share of `amount`, rounded half up.
    pub(super) fn of(self, amount: i64) -> i64 {
        divide_half_up(i128::from(amount) * i128::from(self.0), i128::from(WHOLE))
    }

    /// The part of `amount` that was added to the rest as this share of the rest, rounded half up.
    pub(super) fn within(self, amount: i64) -> i64 {
        let whole_with_share = i128::from(WHOLE) + i128::from(self.0);
        divide_half_up(i128::from(amount) * i128::from(self.0), whole_with_share)
    }
}

impl TryFrom<i64> for BasisPoints {
    type Error = InvalidBasisPoints;

    fn try_from(number: i64) -> Result<Self, InvalidBasisPoints> {
        let number = u32::try_from(number).map_err(|_| InvalidBasisPoints)?;
        if number <= WHOLE { Ok(Self(number)) } else { Err(InvalidBasisPoints) }
    }
}

/// For a dividend that is not negative. The result is not larger than the amount that it is a share of.
fn divide_half_up(dividend: i128, divisor: i128) -> i64 {
    i64::try_from((2 * dividend + divisor) / (2 * divisor)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::BasisPoints;

    fn points(number: i64) -> BasisPoints {
        number.try_into().unwrap()
    }

    #[test]
    fn shares_are_rounded_half_up() {
        assert_eq!(points(1_000).of(5), 1);
        assert_eq!(points(1_000).of(4), 0);
        assert_eq!(points(1_300).of(10_000), 1_300);
        assert_eq!(points(10_000).of(1_000_000_000_000), 1_000_000_000_000);
    }

    #[test]
    fn an_included_share_is_part_of_the_amount() {
        assert_eq!(points(1_300).within(11_300), 1_300);
        assert_eq!(points(1_900).within(11_900), 1_900);
        assert_eq!(points(10_000).within(1), 1);
        assert_eq!(points(0).within(11_300), 0);
    }

    #[test]
    fn more_than_everything_is_no_share() {
        for bad in [-1, 10_001, i64::MAX, i64::MIN] {
            assert!(BasisPoints::try_from(bad).is_err(), "{bad}");
        }
    }
}
