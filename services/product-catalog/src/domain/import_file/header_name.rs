//! Names of columns, compared without case, blanks, underscores and hyphens.

/// The form in which names are compared: `Variant_SKU ` becomes `variant sku`.
pub(super) fn normalised(name: &str) -> String {
    let is_separator = |c: char| c.is_whitespace() || matches!(c, '_' | '-' | '\u{feff}');
    // An asterisk marks a required column in some templates.
    let name: String = name.chars().map(half_width).filter(|c| *c != '*').collect();
    let words: Vec<&str> = name.split(is_separator).filter(|word| !word.is_empty()).collect();
    words.join(" ").to_lowercase()
}

/// Full-width Latin letters, digits and marks in their usual width: `ＳＫＵ`, `￥`, `，`.
pub(super) fn half_width(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => {
            u32::from(c).checked_sub(0xfee0).and_then(char::from_u32).unwrap_or(c)
        }
        '\u{ffe5}' => '¥',
        '\u{3000}' => ' ',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::normalised;

    #[test]
    fn spelling_of_a_name_does_not_matter() {
        for name in ["Variant SKU", " variant_sku ", "VARIANT-Sku", "Variant　ＳＫＵ*"] {
            assert_eq!(normalised(name), "variant sku");
        }
        assert_eq!(normalised("商品 编码"), "商品 编码");
    }
}
