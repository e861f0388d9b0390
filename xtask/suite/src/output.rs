//! Prints to the terminal.

use std::{
    error::Error,
    io::{self, Write as _},
};

/// Prints a line. A closed pipe (`… | head`) does not end the command.
pub fn line(text: impl AsRef<str>) {
    let _closed = writeln!(io::stdout(), "{}", text.as_ref());
}

/// Prints a line on standard error.
pub fn error_line(text: &str) {
    let _closed = writeln!(io::stderr(), "{text}");
}

/// Prints an error with all its causes.
pub fn error(error: &dyn Error) {
    let _closed = writeln!(io::stderr(), "error: {}", chain(error));
}

/// An error and its causes in one line.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// A number with thousands separators: `12,345`.
pub fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn thousands_are_separated() {
        let texts = [0, 999, 1000, 12_345, 1_234_567].map(number);
        assert_eq!(texts, ["0", "999", "1,000", "12,345", "1,234,567"]);
    }
}
