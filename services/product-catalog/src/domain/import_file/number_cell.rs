//! Numbers with separators of thousands, and with a decimal point or comma.

/// What may separate thousands besides a comma or a point.
const BLANKS: [char; 5] = [' ', '\u{a0}', '\u{202f}', '\'', '’'];

/// The number as an integer of its smallest unit: `129.5` with two decimals is 12950. None if it is no number,
/// or if it can be read in two ways: `1.299` may be 1299.
pub(super) fn minor_units(text: &str, decimals: u32, decimal_comma: bool) -> Option<i64> {
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let text = text.trim();
    let (points, commas) = (text.matches('.').count(), text.matches(',').count());
    let last = text.rfind(['.', ',']);
    let fraction_length = last.map_or(0, |at| text.len() - at - 1);
    let decimal = match (points, commas) {
        (1, 0) if fraction_length == 3 && (decimals != 3 || decimal_comma) => return None,
        (1, 0) => Some('.'),
        // In files with semicolons, the comma is usual for decimals.
        (0, 1) if fraction_length == 3 && (decimals == 3 || decimal_comma) => return None,
        (0, 1) if fraction_length != 3 => Some(','),
        // None, or separators of thousands.
        (_, 0) | (0, _) => None,
        (1, _) if last == text.rfind('.') => Some('.'),
        (_, 1) if last == text.rfind(',') => Some(','),
        (_, _) => return None,
    };
    let (whole, fraction) = match decimal.and_then(|mark| text.rsplit_once(mark)) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let whole = without_thousands(whole)?;
    let fraction = fraction.unwrap_or("0");
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !is_digits(&whole) || !is_digits(fraction) {
        return None;
    }
    let places = usize::try_from(decimals).ok()?;
    let (kept, rest) = fraction.split_at(fraction.len().min(places));
    if rest.bytes().any(|digit| digit != b'0') {
        return None;
    }
    let digits = format!("{whole}{kept:0<places$}");
    digits.parse::<i64>().ok().map(|number| sign * number)
}

/// The digits of a whole number, if the thousands are separated regularly.
fn without_thousands(whole: &str) -> Option<String> {
    let separator = whole.chars().find(|c| !c.is_ascii_digit());
    let Some(separator) = separator else { return Some(whole.to_owned()) };
    if !matches!(separator, '.' | ',') && !BLANKS.contains(&separator) {
        return None;
    }
    let parts: Vec<&str> = whole.split(separator).collect();
    let first_fits = parts.first().is_some_and(|part| (1..=3).contains(&part.len()));
    let rest_fits = parts.iter().skip(1).all(|part| part.len() == 3);
    (first_fits && rest_fits).then(|| parts.concat())
}

#[cfg(test)]
mod tests {
    use super::minor_units;

    #[test]
    fn numbers_are_parsed_exactly() {
        for (text, amount) in [
            ("129", 12_900),
            ("129.5", 12_950),
            ("0.07", 7),
            ("-1.5", -150),
            ("1,299", 129_900),
            ("1,299.00", 129_900),
            ("1.299,00", 129_900),
            ("49,00", 4_900),
            ("12,5", 1_250),
            ("1 299.00", 129_900),
            ("1,234,567", 123_456_700),
            ("9.99000", 999),
        ] {
            assert_eq!(minor_units(text, 2, false), Some(amount), "{text}");
        }
        assert_eq!(minor_units("1.234", 3, false), Some(1_234));
        assert_eq!(minor_units("1,299", 0, false), Some(1_299));
    }

    #[test]
    fn doubtful_numbers_are_refused() {
        let bad = [
            "",
            ".",
            "1.",
            ".5",
            "1e3",
            "1.005",
            "1.299",
            "1,29,9",
            "1,2.3,4",
            "1 29",
            "9999,99999",
        ];
        for bad in bad.into_iter().chain(["99999999999999999999"]) {
            assert_eq!(minor_units(bad, 2, false), None, "{bad}");
        }
        assert_eq!(minor_units("1,299", 2, true), None);
        assert_eq!(minor_units("12.5", 0, false), None);
    }
}
