//! Prices with customary endings.

/// How the prices of one product end: 29.90, 29.80 or 29.00, and 139.00 or 138.00.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Ninety,
    Eighty,
    Whole,
}

pub(super) const ENDINGS: [Ending; 5] =
    [Ending::Ninety, Ending::Ninety, Ending::Ninety, Ending::Eighty, Ending::Whole];

/// The nearest customary price, in fen, for a computed number of fen; never below one yuan.
pub(super) fn shelf_price(fen: i64, ending: Ending) -> i64 {
    let yuan = (fen / 100).max(1);
    match yuan {
        ..100 => {
            yuan * 100
                + match ending {
                    Ending::Ninety => 90,
                    Ending::Eighty => 80,
                    Ending::Whole => 0,
                }
        }
        100..1000 => {
            let last = match ending {
                Ending::Ninety | Ending::Whole => 9,
                Ending::Eighty => 8,
            };
            (yuan / 10 * 10 + last) * 100
        }
        1000..3000 => (yuan / 50 * 50 + 49) * 100,
        3000.. => (yuan / 100 * 100 + 99) * 100,
    }
}

/// An amount raised (or lowered) by some percent.
pub(super) fn raised(fen: i64, percent: i64) -> i64 {
    fen * (100 + percent) / 100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_end_as_in_a_shop() {
        assert_eq!(shelf_price(2_951, Ending::Ninety), 2_990);
        assert_eq!(shelf_price(13_210, Ending::Whole), 13_900);
        assert_eq!(shelf_price(13_210, Ending::Eighty), 13_800);
        assert_eq!(shelf_price(126_000, Ending::Ninety), 129_900);
        assert_eq!(shelf_price(543_210, Ending::Ninety), 549_900);
        assert_eq!(shelf_price(-5, Ending::Whole), 100);
    }

    proptest::proptest! {
        #[test]
        fn dearer_variant_never_gets_a_lower_price(fen in 0..5_000_000_i64, more in 0..500_000_i64) {
            for ending in ENDINGS {
                proptest::prop_assert!(shelf_price(fen, ending) <= shelf_price(fen + more, ending));
            }
        }
    }
}
