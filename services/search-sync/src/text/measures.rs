//! Measures: one spelling for a number with its unit, so that `65瓦` and `65 W` are the same.

/// The symbol of each unit, and its other names, folded.
const UNITS: [(&str, &[&str]); 16] = [
    ("w", &["瓦", "瓦特", "watt", "watts"]),
    ("kw", &["千瓦"]),
    ("v", &["伏", "伏特", "volt", "volts"]),
    ("mah", &["毫安", "毫安时"]),
    ("hz", &["赫兹", "赫"]),
    ("ml", &["毫升"]),
    ("l", &["升", "公升", "liter", "liters", "litre", "litres"]),
    ("mm", &["毫米"]),
    ("cm", &["厘米", "公分"]),
    ("m", &["米", "公尺", "meter", "meters", "metre", "metres"]),
    ("inch", &["寸", "英寸", "吋", "inches"]),
    ("g", &["克", "gram", "grams"]),
    ("kg", &["千克", "公斤"]),
    ("gb", &[]),
    ("tb", &["t"]),
    ("h", &["小时", "hour", "hours"]),
];

/// The symbol of a unit by any of its names.
fn symbol(unit: &str) -> Option<&'static str> {
    UNITS
        .iter()
        .find(|(symbol, names)| *symbol == unit || names.contains(&unit))
        .map(|(symbol, _)| *symbol)
}

/// Whether a word is the name of a unit.
pub(crate) fn is_unit(word: &str) -> bool {
    symbol(word).is_some()
}

/// Whether a text is a number, with or without a decimal point.
pub(crate) fn is_number(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_digit() || c == '.')
}

/// The words that stand for a number with its unit. Empty where one of the two is none.
///
/// Shoppers write `256g` for the memory of a phone, so a power of two of `g` is also one of `gb`.
pub(crate) fn measures(number: &str, unit: &str) -> Vec<String> {
    let Some(symbol) = symbol(unit).filter(|_| is_number(number)) else { return Vec::new() };
    let mut found = vec![format!("{number}{symbol}")];
    let is_memory =
        number.parse::<u32>().is_ok_and(|n| n.is_power_of_two() && (4..=1024).contains(&n));
    if symbol == "g" && is_memory {
        found.push(format!("{number}gb"));
    }
    found
}

/// Splits a word like `65w` or `1.5l` into number and unit.
pub(crate) fn split_measure(word: &str) -> Option<(&str, &str)> {
    let end = word.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = word.split_at(end);
    (is_number(number) && is_unit(unit)).then_some((number, unit))
}

/// A number, perhaps with its unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Measure {
    /// Always finite.
    pub(crate) number: f64,
    /// The symbol of the unit.
    pub(crate) unit: Option<&'static str>,
}

/// Reads a folded text that consists of a number, or of a number and its unit. `None` for another text.
pub(crate) fn read_measure(folded: &str) -> Option<Measure> {
    let text = folded.trim();
    let is_digit = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-');
    let (number, unit) = text.split_at(text.find(|c| !is_digit(c)).unwrap_or(text.len()));
    let unit = match unit.trim_start() {
        "" => None,
        name => Some(symbol(name)?),
    };
    let number = number.parse().ok().filter(|number: &f64| number.is_finite())?;
    Some(Measure { number, unit })
}

#[cfg(test)]
mod tests {
    use super::{Measure, measures, read_measure, split_measure};

    #[test]
    fn units_have_several_names() {
        for (number, unit, word) in [
            ("65", "瓦", "65w"),
            ("65", "w", "65w"),
            ("500", "毫升", "500ml"),
            ("1.5", "升", "1.5l"),
            ("2", "米", "2m"),
            ("55", "英寸", "55inch"),
            ("1", "t", "1tb"),
        ] {
            assert_eq!(measures(number, unit), [word]);
        }
        assert_eq!(measures("256", "g"), ["256g", "256gb"]);
        assert_eq!(measures("250", "g"), ["250g"]);
        assert!(measures("f87", "w").is_empty() && measures("65", "键").is_empty());
    }

    #[test]
    fn texts_may_be_numbers_with_a_unit() {
        for (text, number, unit) in [
            ("1.2", 1.2, None),
            ("-18", -18.0, None),
            (" 0 ", 0.0, None),
            ("256gb", 256.0, Some("gb")),
            ("15.6 英寸", 15.6, Some("inch")),
            ("1t", 1.0, Some("tb")),
        ] {
            assert_eq!(read_measure(text), Some(Measure { number, unit }), "{text}");
        }
        let huge = "9".repeat(400);
        for text in
            ["", "kg", "1.2.3", "1-2", "-", ".", "1e3", "nan", "inf", "12人", "1 2", "1kg2", &huge]
        {
            assert_eq!(read_measure(text), None, "{text}");
        }
    }

    #[test]
    fn a_word_may_be_a_measure() {
        assert_eq!(split_measure("65watt"), Some(("65", "watt")));
        assert_eq!(split_measure("1.5l"), Some(("1.5", "l")));
        for word in ["65", "w", "65abc", "f65w", ""] {
            assert_eq!(split_measure(word), None, "{word}");
        }
    }
}
