//! Counts of stock: whole numbers of pieces.

use super::{header_name::half_width, number_cell::minor_units};

/// The maximum count; inventory accepts no more.
const MAX_COUNT: i64 = 1_000_000_000;

/// The number of pieces in a cell.
pub(super) fn stock_of(cell: &str, decimal_comma: bool) -> Result<i64, String> {
    let text: String = cell.chars().map(half_width).collect();
    match minor_units(text.trim(), 0, decimal_comma) {
        Some(count) if (0..=MAX_COUNT).contains(&count) => Ok(count),
        Some(_) | None => {
            Err(format!("must be a whole number of pieces from 0 to {MAX_COUNT}, not `{cell}`"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::stock_of;

    #[test]
    fn counts_are_whole_numbers() {
        for (cell, count) in [("12", 12), ("0", 0), ("12.0", 12), ("1,299", 1_299), ("１２", 12)]
        {
            assert_eq!(stock_of(cell, false), Ok(count), "{cell}");
        }
        for cell in
            ["-1", "12.5", "12,5", "many", "1000000001", "1e3", "12 pcs", "99999999999999999999"]
        {
            assert!(stock_of(cell, false).is_err(), "{cell}");
        }
    }
}
