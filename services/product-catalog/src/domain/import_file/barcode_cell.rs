//! Barcodes, checked by their check digit: spreadsheets spoil long numbers.

use super::header_name::half_width;

/// Why a cell has no barcode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidBarcode {
    /// A spreadsheet rounded the number: its last digits are lost.
    #[error("`{0}` was rounded by a spreadsheet; format the column as text")]
    Rounded(String),
    #[error("must be a GTIN (EAN or UPC) of 8, 12, 13 or 14 digits, not `{0}`")]
    NoGtin(String),
    #[error("`{0}` has a wrong check digit")]
    CheckDigit(String),
}

/// The digits of a barcode.
pub(super) fn barcode_of(cell: &str) -> Result<String, InvalidBarcode> {
    let text: String = cell.chars().map(half_width).collect();
    // Marks that keep a spreadsheet from reading a number: '690… and ="690…".
    let text = text.trim().trim_start_matches(['\'', '=']).trim_matches('"');
    let digits: String = text.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    let digits = digits.strip_suffix(".0").unwrap_or(&digits);
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if let Some((number, exponent)) = digits.to_ascii_uppercase().split_once('E')
        && is_digits(&number.replace(['.', ','], ""))
        && is_digits(exponent.trim_start_matches('+'))
    {
        return Err(InvalidBarcode::Rounded(cell.to_owned()));
    }
    if !is_digits(digits) || ![8, 12, 13, 14].contains(&digits.len()) {
        return Err(InvalidBarcode::NoGtin(cell.to_owned()));
    }
    let weighted = digits.bytes().rev().zip([1, 3].into_iter().cycle());
    let sum: u32 = weighted.map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    if sum.is_multiple_of(10) {
        Ok(digits.to_owned())
    } else {
        Err(InvalidBarcode::CheckDigit(cell.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::{InvalidBarcode, barcode_of};

    #[test]
    fn barcodes_are_checked() {
        for (cell, digits) in [
            ("6901234567892", "6901234567892"),
            ("'4006381333931", "4006381333931"),
            ("=\"036000291452\"", "036000291452"),
            ("978-7-111-12806-9", "9787111128069"),
            ("96385074", "96385074"),
            ("4006381333931.0", "4006381333931"),
        ] {
            assert_eq!(barcode_of(cell).as_deref(), Ok(digits), "{cell}");
        }
        let rounded = |cell: &str| Err(InvalidBarcode::Rounded(cell.to_owned()));
        assert_eq!(barcode_of("3.65275E+11"), rounded("3.65275E+11"));
        assert_eq!(barcode_of("6,9e12"), rounded("6,9e12"));
        let check_digit = InvalidBarcode::CheckDigit("6901234567890".to_owned());
        assert_eq!(barcode_of("6901234567890"), Err(check_digit));
        assert!(matches!(barcode_of("36000291452"), Err(InvalidBarcode::NoGtin(_))));
        assert!(matches!(barcode_of("n/a"), Err(InvalidBarcode::NoGtin(_))));
    }
}
