//! One spelling for each character: full-width forms become half-width, capitals small.

/// The one character that `c` is compared as.
///
/// Always one for one, so that a position in the normalised text is a position in the original: of the few capitals
/// whose small form has several characters, the first is taken. Traditional characters stay what they are.
pub fn normalise_char(c: char) -> char {
    let half = match c {
        '\u{3000}' => ' ',
        '\u{ff01}'..='\u{ff5e}' => {
            u32::from(c).checked_sub(0xfee0).and_then(char::from_u32).unwrap_or(c)
        }
        _ => c,
    };
    half.to_lowercase().next().unwrap_or(half)
}

/// `text`, character by character as [`normalise_char`] has it.
pub fn normalise(text: &str) -> String {
    text.chars().map(normalise_char).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_width_and_capitals_are_folded() {
        assert_eq!(normalise("ＡＵＬＡ　Ｆ８７ Ｐｒｏ（黑）"), "aula f87 pro(黑)");
    }

    #[test]
    fn traditional_characters_stay() {
        assert_eq!(normalise("機械鍵盤"), "機械鍵盤");
    }
}
