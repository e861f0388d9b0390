//! Normalisation: full-width forms become half-width, capitals become lower case.

/// The character that `c` is compared as.
///
/// The mapping is one to one, so positions in the normalised text are positions in the original. A capital
/// whose lower case has several characters is mapped to the first of them. Traditional characters stay as
/// they are.
pub(crate) fn normalise_char(c: char) -> char {
    let half_width = match c {
        '\u{3000}' => ' ',
        '\u{ff01}'..='\u{ff5e}' => {
            u32::from(c).checked_sub(0xfee0).and_then(char::from_u32).unwrap_or(c)
        }
        _ => c,
    };
    half_width.to_lowercase().next().unwrap_or(half_width)
}

/// Applies [`normalise_char`] to every character of `text`.
pub(crate) fn normalise(text: &str) -> String {
    text.chars().map(normalise_char).collect()
}

#[cfg(test)]
mod tests {
    use super::normalise;

    #[test]
    fn full_width_and_capitals_are_folded() {
        assert_eq!(normalise("ＡＵＬＡ　Ｆ８７ Ｐｒｏ（黑）"), "aula f87 pro(黑)");
    }

    #[test]
    fn traditional_characters_stay() {
        assert_eq!(normalise("機械鍵盤"), "機械鍵盤");
    }
}
