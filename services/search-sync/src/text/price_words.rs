//! Words of a query that name a price: 200元以下, `under 3000`, 便宜的.

use std::{ops::Range, sync::LazyLock};

use regex_lite::{Captures, Regex};
use vocabulary::Currency;

use super::{folding::fold, measures::is_unit};

/// How far prices may be from one that is named with 左右.
const AROUND: f64 = 0.2;
/// The highest price that is understood, in units.
const PRICE_MAX: f64 = 1e9;

/// What a query says about the price, and the query without these words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PriceWords {
    /// The query without the words for the price.
    pub(crate) rest: String,
    /// The words for the price, as they were typed but folded.
    pub(crate) words: Vec<String>,
    /// The lowest price, in minor units.
    pub(crate) price_min: Option<i64>,
    /// The highest price, in minor units.
    pub(crate) price_max: Option<i64>,
    pub(crate) order: Option<PriceOrder>,
}

/// The order that words such as 便宜的 ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PriceOrder {
    CheapestFirst,
    DearestFirst,
}

/// Which prices a pattern means.
#[derive(Debug, Clone, Copy)]
enum Bound {
    Between,
    AtMost,
    AtLeast,
    Around,
}

/// The characters of a number in Chinese.
const NUMERALS: &str = "一二两三四五六七八九十百千";
/// A name or sign of currencies, with their codes.
type CurrencyName = (&'static str, &'static [&'static str]);

/// The signs before an amount.
const SIGNS: [CurrencyName; 4] = [
    ("¥", &["CNY", "JPY"]),
    ("$", &["USD", "HKD", "TWD", "SGD", "AUD", "CAD", "NZD", "MOP"]),
    ("€", &["EUR"]),
    ("£", &["GBP"]),
];
/// The codes of the currencies whose unit is 元 in Chinese.
const YUAN: &[&str] = &["CNY", "HKD", "MOP", "TWD", "SGD"];
/// The names behind an amount, folded. One that begins another stands behind it.
const NAMES: [CurrencyName; 34] = [
    ("元", YUAN),
    ("块钱", YUAN),
    ("块", YUAN),
    ("人民币", &["CNY"]),
    ("yuan", &["CNY"]),
    ("rmb", &["CNY"]),
    ("cny", &["CNY"]),
    ("美元", &["USD"]),
    ("美金", &["USD"]),
    ("usd", &["USD"]),
    ("dollars", &["USD", "HKD", "TWD", "SGD", "AUD", "CAD", "NZD"]),
    ("欧元", &["EUR"]),
    ("euros", &["EUR"]),
    ("euro", &["EUR"]),
    ("eur", &["EUR"]),
    ("日元", &["JPY"]),
    ("日圆", &["JPY"]),
    ("円", &["JPY"]),
    ("yen", &["JPY"]),
    ("jpy", &["JPY"]),
    ("港元", &["HKD"]),
    ("港币", &["HKD"]),
    ("hkd", &["HKD"]),
    ("澳门元", &["MOP"]),
    ("新台币", &["TWD"]),
    ("台币", &["TWD"]),
    ("twd", &["TWD"]),
    ("新加坡元", &["SGD"]),
    ("新元", &["SGD"]),
    ("sgd", &["SGD"]),
    ("英镑", &["GBP"]),
    ("gbp", &["GBP"]),
    ("韩元", &["KRW"]),
    ("krw", &["KRW"]),
];

/// The patterns of bounds. Where a number has no currency, the text behind it decides, see [`ends`].
static BOUNDS: LazyLock<Vec<(Regex, Bound)>> = LazyLock::new(|| {
    let word = |name: &str| format!(r"{name}{}", if name.is_ascii() { r"\b" } else { "" });
    let names: Vec<String> = NAMES.iter().map(|(name, _)| word(name)).collect();
    let currency = format!("({})", names.join("|"));
    let signs: String = SIGNS.iter().map(|(sign, _)| *sign).collect();
    let sign = format!("([{signs}])?");
    let plain = format!(r"(\d+(?:\.\d+)?|[{NUMERALS}]+)\s*([千万]|k\b)?");
    let number = format!(r"{sign}\s*{plain}\s*{currency}?");
    [
        (format!(r"{number}\s*(?:-|~|到|至)\s*{sign}\s*{plain}\s*{currency}"), Bound::Between),
        (format!(r"\bbetween\s+{number}\s+and\s+{number}"), Bound::Between),
        (format!(r"{number}\s*(?:以下|以内|之内)"), Bound::AtMost),
        (format!(r"{number}\s*(?:以上|起)"), Bound::AtLeast),
        (format!(r"{number}\s*(?:左右|上下)"), Bound::Around),
        (format!(r"(?:低于|不超过|不到|小于|少于)\s*{number}"), Bound::AtMost),
        (format!(r"(?:高于|超过|大于|多于)\s*{number}"), Bound::AtLeast),
        (format!(r"\b(?:under|below|less than|up to|at most)\s+{number}"), Bound::AtMost),
        (format!(r"\b(?:over|above|more than|at least)\s+{number}"), Bound::AtLeast),
    ]
    .into_iter()
    .filter_map(|(pattern, bound)| Some((Regex::new(&pattern).ok()?, bound)))
    .collect()
});

static ORDERS: LazyLock<Vec<(Regex, PriceOrder)>> = LazyLock::new(|| {
    [
        (r"最?便宜(?:一?点)?的?|实惠的?|平价的?|\bcheap(?:est)?\b", PriceOrder::CheapestFirst),
        (r"最贵的?|\bmost expensive\b", PriceOrder::DearestFirst),
    ]
    .into_iter()
    .filter_map(|(pattern, order)| Some((Regex::new(pattern).ok()?, order)))
    .collect()
});

/// Reads the words for a price in a currency, in the minor units of which it answers. `None` where the query has
/// none. An amount of another currency is none, because it is another price.
pub(crate) fn price_words(q: &str, currency: Currency) -> Option<PriceWords> {
    let minor_units = |units| minor_units(units, currency);
    let mut found = PriceWords { rest: fold(q), ..PriceWords::default() };
    // Most queries have no number, and each pattern needs one.
    let has_number = found.rest.contains(|c: char| c.is_ascii_digit() || NUMERALS.contains(c));
    for (pattern, bound) in BOUNDS.iter().filter(|_| has_number) {
        let fitting = pattern
            .captures_iter(&found.rest)
            .find(|captures| fits(captures, &found.rest, *bound, currency))
            .and_then(|captures| Some((amounts(&captures), captures.get(0)?.range())));
        let Some((amounts, words)) = fitting else { continue };
        let Some((lowest, highest)) = amounts.first().zip(amounts.last()) else { continue };
        let minimum = found.price_min.is_none();
        match bound {
            Bound::Between => {
                found.price_min = minor_units(lowest.min(*highest));
                found.price_max = minor_units(lowest.max(*highest));
            }
            Bound::AtMost if found.price_max.is_none() => found.price_max = minor_units(*highest),
            Bound::AtLeast if minimum => found.price_min = minor_units(*lowest),
            Bound::Around if minimum && found.price_max.is_none() => {
                found.price_min = minor_units(lowest * (1.0 - AROUND));
                found.price_max = minor_units(highest * (1.0 + AROUND));
            }
            Bound::AtMost | Bound::AtLeast | Bound::Around => continue,
        }
        found.take(words);
    }
    for (pattern, order) in ORDERS.iter() {
        if found.order.is_none()
            && let Some(words) = pattern.find(&found.rest).map(|words| words.range())
        {
            found.order = Some(*order);
            found.take(words);
        }
    }
    (!found.words.is_empty()).then_some(found)
}

impl PriceWords {
    /// Moves words from the query. A 的 between them and the rest goes with them.
    fn take(&mut self, words: Range<usize>) {
        let before = self.rest[..words.start].trim_end();
        let after = self.rest[words.end..].trim_start();
        let after = after.strip_prefix('的').unwrap_or(after).trim_start();
        let gap = if before.is_empty() || after.is_empty() { "" } else { " " };
        self.words.push(self.rest[words].trim().to_owned());
        self.rest = format!("{before}{gap}{after}");
    }
}

/// Whether a match is a price in the currency. `3-6岁` and `under 10 kg` are none.
fn fits(captures: &Captures<'_>, q: &str, bound: Bound, currency: Currency) -> bool {
    let Some(whole) = captures.get(0) else { return false };
    let starts_in_number = q[..whole.start()].ends_with(|c: char| c.is_ascii_digit() || c == '.');
    // Behind the number stands a word of the pattern, or nothing that could be another unit.
    let text = whole.as_str().trim_end();
    let last_is_word =
        text.ends_with(|c: char| !c.is_ascii_digit()) && !matches!(bound, Bound::Between);
    let parts = captures.iter().skip(1).flatten().map(|part| part.as_str());
    let names = parts.clone().filter_map(|part| codes_of(&NAMES, part));
    let signs = parts.filter_map(|part| codes_of(&SIGNS, part));
    let has_currency = names.clone().next().is_some();
    let is_other = names.chain(signs).any(|codes| !codes.contains(&currency.as_str()));
    !is_other
        && !starts_in_number
        && (has_currency || last_is_word || ends(&q[whole.start() + text.len()..]))
}

/// The currencies of a name or sign; `None` for another text.
fn codes_of(names: &[CurrencyName], text: &str) -> Option<&'static [&'static str]> {
    names.iter().find(|(name, _)| *name == text).map(|(_, codes)| *codes)
}

/// Whether nothing follows a number that would make it another measure.
fn ends(after: &str) -> bool {
    let rest = after.trim_start();
    let word = rest.split(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
    let apart = rest.len() < after.len() && !is_unit(word);
    rest.is_empty() || rest.starts_with('的') || apart
}

/// The numbers of a match, each a text with digits or in Chinese, and perhaps a multiplier.
fn amounts(captures: &Captures<'_>) -> Vec<f64> {
    let mut found: Vec<f64> = Vec::new();
    for part in captures.iter().skip(1).flatten().map(|part| part.as_str()) {
        match (part, found.last_mut()) {
            ("千" | "k", Some(last)) => *last *= 1_000.0,
            ("万", Some(last)) => *last *= 10_000.0,
            (number, _) => found.extend(number.parse().ok().or_else(|| chinese_number(number))),
        }
    }
    found
}

/// A number such as 两百五十; `None` for another text.
fn chinese_number(text: &str) -> Option<f64> {
    let (mut sum, mut digit) = (0.0, None);
    for c in text.chars() {
        let unit = match c {
            '十' => 10.0,
            '百' => 100.0,
            '千' => 1_000.0,
            _ => {
                let value = "一二三四五六七八九".chars().position(|known| known == c);
                let value = value.map(|at| at + 1).or((c == '两').then_some(2))?;
                digit = u32::try_from(value).ok().map(f64::from);
                continue;
            }
        };
        sum += digit.take().unwrap_or(1.0) * unit;
    }
    Some(sum + digit.unwrap_or(0.0))
}

#[expect(clippy::cast_possible_truncation, reason = "the amount is bounded")]
fn minor_units(units: f64, currency: Currency) -> Option<i64> {
    let minor = 10_f64.powf(f64::from(currency.decimals()));
    (units <= PRICE_MAX).then(|| (units * minor).round() as i64)
}

#[cfg(test)]
mod tests {
    use vocabulary::Currency;

    use super::{PriceOrder, PriceWords};

    fn price_words(q: &str) -> Option<PriceWords> {
        super::price_words(q, Currency::CNY)
    }

    #[test]
    fn words_for_a_price_become_bounds() {
        for (q, rest, minimum, maximum) in [
            ("200元以下 耳机", "耳机", None, Some(20_000)),
            ("200元以下的耳机", "耳机", None, Some(20_000)),
            ("耳机 200以内", "耳机", None, Some(20_000)),
            ("两百块以下蓝牙耳机", "蓝牙耳机", None, Some(20_000)),
            ("不超过1.5千元的手机", "手机", None, Some(150_000)),
            ("3千以上 手机", "手机", Some(300_000), None),
            ("1万元以内笔记本电脑", "笔记本电脑", None, Some(1_000_000)),
            ("100-200元 鼠标", "鼠标", Some(10_000), Some(20_000)),
            ("100到200块的鼠标", "鼠标", Some(10_000), Some(20_000)),
            ("2000元左右的手机", "手机", Some(160_000), Some(240_000)),
            ("phone under 3000", "phone", None, Some(300_000)),
            ("phone under 3k black", "phone black", None, Some(300_000)),
            ("laptop under ¥5000", "laptop", None, Some(500_000)),
            ("monitor between 1000 and 2000 yuan", "monitor", Some(100_000), Some(200_000)),
            ("100元以上 200元以下 鼠标", "鼠标", Some(10_000), Some(20_000)),
        ] {
            let found = price_words(q).expect(q);
            assert_eq!(
                (found.rest.as_str(), found.price_min, found.price_max),
                (rest, minimum, maximum),
                "{q}: {found:?}"
            );
        }
    }

    #[test]
    fn amounts_are_in_the_currency_of_the_listing() {
        for (code, q, rest, maximum) in [
            ("CNY", "耳机 200以内", "耳机", 20_000),
            ("JPY", "耳机 200以内", "耳机", 200),
            ("KWD", "耳机 200以内", "耳机", 200_000),
            ("JPY", "3000円以下 耳机", "耳机", 3_000),
            ("JPY", "3千日元以下的耳机", "耳机", 3_000),
            ("JPY", "earphones under ¥3000", "earphones", 3_000),
            ("USD", "earphones under $19.99", "earphones", 1_999),
            ("USD", "50美元以下的耳机", "耳机", 5_000),
            ("EUR", "earphones under 50 euros", "earphones", 5_000),
            ("EUR", "earphones under €50", "earphones", 5_000),
            ("HKD", "200元以下的耳机", "耳机", 20_000),
        ] {
            let found = super::price_words(q, code.parse().unwrap()).expect(q);
            let read = (found.rest.as_str(), found.price_min, found.price_max);
            assert_eq!(read, (rest, None, Some(maximum)), "{q}: {found:?}");
        }
    }

    #[test]
    fn amounts_of_another_currency_are_no_prices() {
        for (code, q) in [
            ("CNY", "耳机 50美元以下"),
            ("CNY", "earphones under $50"),
            ("CNY", "earphones between 50 and 100 usd"),
            ("CNY", "3000日元以下"),
            ("JPY", "200元以下的耳机"),
            ("JPY", "¥100-200元 鼠标"),
            ("EUR", "两百块以下蓝牙耳机"),
        ] {
            assert_eq!(super::price_words(q, code.parse().unwrap()), None, "{q}");
        }
    }

    #[test]
    fn words_for_an_order_are_read() {
        for (q, rest, order) in [
            ("便宜的耳机", "耳机", PriceOrder::CheapestFirst),
            ("cheap headphones", "headphones", PriceOrder::CheapestFirst),
            ("最贵的手机", "手机", PriceOrder::DearestFirst),
        ] {
            let found = price_words(q).expect(q);
            assert_eq!((found.rest.as_str(), found.order), (rest, Some(order)), "{q}");
        }
    }

    #[test]
    fn other_measures_are_no_prices() {
        for q in [
            "儿童绘本 3-6岁",
            "10米以内数据线",
            "under 10 kg",
            "不超过5米的线",
            "65w充电器",
            "iphone 15",
            "under armour",
            "千与千寻",
            "2-4人电饭煲",
        ] {
            assert_eq!(price_words(q), None, "{q}");
        }
    }
}
