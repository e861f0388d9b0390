//! Folding: the one form in which texts are compared, for the index, queries, filters and facets.
//!
//! Width, case, diacritics and traditional characters do not matter, and invisible characters do not exist:
//! `Ｃａｆé` is `cafe`, `機械` is `机械`.

use std::{collections::HashMap, iter, sync::LazyLock};

use hanconv::RawDictionary;
use unicode_normalization::UnicodeNormalization as _;

use super::chinese::is_chinese;

/// The simplified form of each traditional character, by `OpenCC`'s table. Where a character has several, the
/// most common one.
static SIMPLIFIED: LazyLock<HashMap<char, char>> = LazyLock::new(|| {
    let single = |text: &str| {
        let mut chars = text.chars();
        chars.next().filter(|_| chars.next().is_none())
    };
    let pairs = RawDictionary::TSCharacters.iter();
    pairs
        .filter_map(|(traditional, simplified)| Some((single(traditional)?, single(simplified)?)))
        .filter(|(traditional, simplified)| traditional != simplified)
        .collect()
});

/// Passes the folded form of one character to `push`: nothing for an invisible character or a combining mark,
/// several characters for a ligature.
pub(crate) fn fold_char(c: char, mut push: impl FnMut(char)) {
    if c.is_ascii() {
        push(c.to_ascii_lowercase());
    } else if is_ignored(c) {
        // Pasted texts contain such characters inside words.
    } else if is_compatible(c) {
        for part in iter::once(c).nfkd().flat_map(char::to_lowercase).filter(|c| !is_ignored(*c)) {
            match spelling(part) {
                Some(letters) => letters.chars().for_each(&mut push),
                None => push(simplified(part)),
            }
        }
    } else if is_chinese(c) {
        push(simplified(c));
    } else {
        c.to_lowercase().filter(|c| !is_ignored(*c)).for_each(push);
    }
}

/// The folded form of a text.
pub(crate) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in text.chars() {
        fold_char(c, |c| folded.push(c));
    }
    folded
}

fn simplified(c: char) -> char {
    SIMPLIFIED.get(&c).copied().unwrap_or(c)
}

/// Characters that do not change a word: zero-width characters, soft hyphens, direction marks, variation
/// selectors, and the diacritics of decomposed letters.
fn is_ignored(c: char) -> bool {
    matches!(c,
        '\u{ad}'
        | '\u{300}'..='\u{36f}'
        | '\u{61c}'
        | '\u{115f}' | '\u{1160}'
        | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// Characters that another spelling replaces: letters with diacritics, other widths and styles, ligatures,
/// units in one character, and compatibility ideographs. Trade marks are none: `Pro™` is not `protm`.
fn is_compatible(c: char) -> bool {
    let range = matches!(c,
        '\u{a0}'..='\u{52f}'
        | '\u{1e00}'..='\u{1fff}'
        | '\u{2000}'..='\u{200a}'
        | '\u{2070}'..='\u{209f}'
        | '\u{2100}'..='\u{218f}'
        | '\u{2460}'..='\u{24ff}'
        | '\u{2f00}'..='\u{2fdf}'
        | '\u{3000}'
        | '\u{3300}'..='\u{33ff}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fb00}'..='\u{fb06}'
        | '\u{ff01}'..='\u{ffef}'
        | '\u{1d400}'..='\u{1d7ff}'
        | '\u{2f800}'..='\u{2fa1f}');
    // Spacing accents (´, ¨) decompose to a blank, which would divide words.
    range && !matches!(c, '™' | '℠' | '´' | '¨' | '¯' | '¸' | '˘'..='˝')
}

/// Letters that Unicode does not decompose, as they are spelt on other keyboards.
fn spelling(c: char) -> Option<&'static str> {
    Some(match c {
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'ø' => "o",
        'đ' | 'ð' => "d",
        'ł' => "l",
        'þ' => "th",
        'ħ' => "h",
        'ı' => "i",
        'ς' => "σ",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::fold;

    #[test]
    fn width_and_case_do_not_matter() {
        assert_eq!(fold("ＡＵＬＡ　Ｆ８７ Ｐｒｏ（黑）"), "aula f87 pro(黑)");
    }

    #[test]
    fn traditional_characters_become_simplified() {
        for (traditional, simplified) in [
            ("機械鍵盤 熱插拔", "机械键盘 热插拔"),
            ("鍋", "锅"),
            ("藍牙耳機", "蓝牙耳机"),
            ("華為", "华为"),
            ("顏色", "颜色"),
            ("乾淨", "干净"),
        ] {
            assert_eq!(fold(traditional), simplified);
            assert_eq!(fold(simplified), simplified);
        }
    }

    #[test]
    fn diacritics_do_not_matter() {
        for (text, folded) in [
            ("Café", "cafe"),
            ("Cafe\u{301}", "cafe"),
            ("MOËT", "moet"),
            ("Crème brûlée", "creme brulee"),
            ("Müller Straße", "muller strasse"),
            ("İstanbul Øl Łódź", "istanbul ol lodz"),
            ("lǜchá", "lucha"),
        ] {
            assert_eq!(fold(text), folded);
        }
    }

    #[test]
    fn invisible_characters_do_not_exist() {
        for c in ['\u{200b}', '\u{200c}', '\u{200d}', '\u{ad}', '\u{2060}', '\u{feff}', '\u{fe0f}']
        {
            assert_eq!(fold(&format!("logi{c}tech")), "logitech", "{c:?}");
            assert_eq!(fold(&format!("无线{c}鼠标")), "无线鼠标", "{c:?}");
        }
    }

    #[test]
    fn ligatures_and_styles_are_spelt_out() {
        for (text, folded) in [
            ("oﬃce", "office"),
            ("𝗣𝗿𝗼", "pro"),
            ("120㎡", "120m2"),
            ("ｶﾗｰ", "カラー"),
            ("Pro™", "pro™"),
        ] {
            assert_eq!(fold(text), folded);
        }
    }

    #[test]
    fn other_scripts_keep_their_letters() {
        for text in ["ガス", "한국어", "ไทย"] {
            assert_eq!(fold(text), text);
        }
    }
}
