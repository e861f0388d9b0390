//! The number of an order, which people read out.

use std::{fmt, str::FromStr};

use vocabulary::OrderId;

/// One more than the highest number without its check digit.
const NUMBERS: u64 = 100_000_000_000_000;

/// Digits with the check digit.
const DIGITS: usize = 15;

/// The number of an order: fourteen digits and a check digit, written as `10604-22390-24878`.
///
/// It follows from the id, and is found by the function `order_number` of the database, which must compute the same. It gives no
/// access. Digits only: letters that look different sound alike, such as B, D, P and T. The check digit finds every wrong digit and
/// every swap of neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct OrderNumber {
    /// Without the check digit.
    digits: u64,
}

/// Why a text is no number of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidOrderNumber {
    #[error("must have 15 digits")]
    Form,
    #[error("has a wrong digit, or two digits are swapped")]
    CheckDigit,
}

impl OrderNumber {
    /// The number of the order with this id.
    pub(crate) fn of(order: OrderId) -> Self {
        // One half has the time, the other random bits.
        let (time, random) = order.as_uuid().as_u64_pair();
        Self { digits: ((time ^ random) & i64::MAX.cast_unsigned()) % NUMBERS }
    }

    /// The number without its check digit, as the database computes it.
    pub(crate) const fn without_check_digit(self) -> i64 {
        self.digits.cast_signed()
    }
}

/// The operation table of Damm's check digit: <https://en.wikipedia.org/wiki/Damm_algorithm>.
const DAMM: [[u8; 10]; 10] = [
    [0, 3, 1, 7, 5, 9, 8, 6, 4, 2],
    [7, 0, 9, 2, 1, 5, 4, 8, 6, 3],
    [4, 2, 0, 6, 8, 7, 1, 3, 5, 9],
    [1, 7, 5, 0, 9, 8, 3, 4, 2, 6],
    [6, 1, 2, 3, 0, 4, 5, 9, 7, 8],
    [3, 6, 7, 4, 2, 0, 9, 5, 8, 1],
    [5, 8, 6, 9, 7, 2, 0, 1, 3, 4],
    [8, 9, 4, 5, 3, 6, 2, 0, 1, 7],
    [9, 4, 3, 8, 6, 1, 7, 2, 0, 5],
    [2, 5, 8, 1, 4, 3, 6, 7, 9, 0],
];

/// The check digit of `digits`; 0 if they end with the right one.
fn check_digit(digits: impl IntoIterator<Item = u8>) -> u8 {
    digits.into_iter().fold(0, |interim, digit| DAMM[usize::from(interim)][usize::from(digit)])
}

impl fmt::Display for OrderNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:014}", self.digits);
        let check = check_digit(digits.bytes().map(|digit| digit - b'0'));
        write!(f, "{}-{}-{}{check}", &digits[..5], &digits[5..10], &digits[10..])
    }
}

/// Spaces and hyphens are ignored. Full-width forms, as an input method writes them, are read, too.
impl FromStr for OrderNumber {
    type Err = InvalidOrderNumber;

    fn from_str(text: &str) -> Result<Self, InvalidOrderNumber> {
        let mut digits: Vec<u8> = Vec::with_capacity(DIGITS);
        for character in text.chars() {
            let zero = match character {
                '0'..='9' => '0',
                '０'..='９' => '０',
                ' ' | '\u{3000}' | '-' | '－' | '–' => continue,
                _ => return Err(InvalidOrderNumber::Form),
            };
            let digit = u8::try_from(u32::from(character) - u32::from(zero));
            digits.push(digit.map_err(|_| InvalidOrderNumber::Form)?);
        }
        if digits.len() != DIGITS {
            return Err(InvalidOrderNumber::Form);
        }
        if check_digit(digits.iter().copied()) != 0 {
            return Err(InvalidOrderNumber::CheckDigit);
        }
        let digits = digits[..DIGITS - 1].iter();
        Ok(Self { digits: digits.fold(0, |number, digit| number * 10 + u64::from(*digit)) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::{InvalidOrderNumber, NUMBERS, OrderNumber};

    /// Customers have these numbers on paper.
    #[test]
    fn a_number_follows_from_the_id_for_good() {
        for (id, text) in GOLDEN {
            let number = OrderNumber::of(id.parse().unwrap());
            assert_eq!(number.to_string(), text, "{id}");
        }
    }

    const GOLDEN: [(&str, &str); 3] = [
        ("0192d4f0-1234-7abc-8def-0123456789ab", "10604-22390-24878"),
        ("00000000-0000-7000-8000-000000000000", "00000-00002-86726"),
        ("ffffffff-ffff-7fff-bfff-ffffffffffff", "86018-42742-06722"),
    ];

    #[test]
    fn numbers_are_read_with_other_separators() {
        let expected = OrderNumber { digits: 12_345_678_901_234 };
        let text = expected.to_string();
        assert_eq!(text, "12345-67890-12345");
        for form in [
            text.replace('-', ""),
            text.replace('-', " "),
            format!(" {text} "),
            "１２３４５－６７８９０－１２３４５".to_owned(),
        ] {
            assert_eq!(form.parse(), Ok(expected), "{form}");
        }
        for form in ["", "1", &text[1..], &format!("{text}0"), &text.replace('0', "O")] {
            assert_eq!(form.parse::<OrderNumber>(), Err(InvalidOrderNumber::Form), "{form}");
        }
    }

    proptest! {
        #[test]
        fn every_number_is_read_as_it_is_written(id in any::<u128>()) {
            let number = OrderNumber::of(Uuid::from_u128(id).into());
            prop_assert_eq!(number.to_string().parse(), Ok(number));
        }

        #[test]
        fn wrong_digits_and_swaps_are_found(
            digits in 0..NUMBERS, place in 0..15_usize, digit in b'0'..=b'9'
        ) {
            let right = OrderNumber { digits }.to_string().replace('-', "").into_bytes();
            let (mut wrong, mut swapped) = (right.clone(), right.clone());
            wrong[place] = digit;
            swapped.swap(place, (place + 1).min(14));
            for changed in [wrong, swapped].into_iter().filter(|changed| *changed != right) {
                let changed = String::from_utf8(changed).unwrap();
                prop_assert_eq!(
                    changed.parse::<OrderNumber>(), Err(InvalidOrderNumber::CheckDigit)
                );
            }
        }
    }
}
