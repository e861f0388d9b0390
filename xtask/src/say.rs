//! What a chore tells the person who runs it.

use std::error::Error;
use std::io::{self, Write as _};

/// Prints a line. If nobody reads it any more (`… | head`), that is no reason to leave a chore half done.
pub(crate) fn line(text: impl AsRef<str>) {
    let _unread = writeln!(io::stdout(), "{}", text.as_ref());
}

/// Prints an error with all its causes.
pub(crate) fn failure(error: &dyn Error) {
    let _unread = writeln!(io::stderr(), "error: {}", chain(error));
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// A number with its thousands apart: `12,345`.
pub(crate) fn number(number: u64) -> String {
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
    fn thousands_stand_apart() {
        let texts = [0, 999, 1000, 12_345, 1_234_567].map(number);
        assert_eq!(texts, ["0", "999", "1,000", "12,345", "1,234,567"]);
    }
}
