//! EAN-13 barcodes.

/// The number of barcodes before they repeat.
const DISTINCT: u64 = 1_000_000_000;

/// The barcode of the `nth` variant of a catalogue: 690, nine digits, check digit.
///
/// The nine digits are a permutation of `nth`: distinct, yet no visible counter. The factor has no divisor in
/// common with 10.
pub(super) fn barcode(nth: u64) -> String {
    let scattered = (nth % DISTINCT * 618_033_989 + 271_828_183) % DISTINCT;
    let digits = format!("690{scattered:09}");
    let check = check_digit(&digits);
    format!("{digits}{check}")
}

/// The digit that makes the weighted sum of all thirteen a multiple of ten.
fn check_digit(twelve: &str) -> u32 {
    let weights = [1, 3].into_iter().cycle();
    let digits = twelve.chars().filter_map(|digit| digit.to_digit(10));
    let sum: u32 = digits.zip(weights).map(|(digit, weight)| digit * weight).sum();
    (10 - sum % 10) % 10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits_match_printed_examples() {
        assert_eq!(check_digit("400638133393"), 1);
        assert_eq!(check_digit("590123412345"), 7);
        assert_eq!(check_digit("000000000000"), 0);
    }
}
