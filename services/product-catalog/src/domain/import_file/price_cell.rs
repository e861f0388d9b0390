//! Prices as people write them: `129`, `1,299.00`, `￥129`, `129元`, `250.00 CNY`.

use vocabulary::Currency;

use super::{header_name::half_width, number_cell::minor_units};
use crate::domain::DraftPrice;

/// Reads the price cells of a file.
#[derive(Debug, Clone)]
pub(super) struct PriceReader {
    /// The currency of prices that do not name one. None: `CNY`, unless the product has another one.
    pub(super) currency: Option<String>,
    /// Whether the file may write `1,299` for 1.299, as files with semicolons do.
    pub(super) decimal_comma: bool,
}

/// A price, and whether its currency is the default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FilePrice {
    pub(super) price: DraftPrice,
    pub(super) has_default_currency: bool,
}

impl FilePrice {
    pub(super) fn has_currency_of(&self, other: &Self) -> bool {
        self.price.currency == other.price.currency
    }
}

/// What a price says of its currency.
enum Mark {
    None,
    Code(String),
    /// `¥`, which is CNY or JPY.
    Yuan,
    /// `$`, which is one of many.
    Dollar,
}

/// The currency of prices that do not name one, the shop's own.
pub(super) const DEFAULT_CURRENCY: &str = "CNY";

const DOLLARS: &str = "price: `$` may be several currencies; write the code, such as USD";
const NO_NUMBER: &str = "price: must be a number such as 129.00";

impl PriceReader {
    /// The price in a cell. `stated` is the currency of another cell.
    pub(super) fn read(&self, cell: &str, stated: Option<&str>) -> Result<FilePrice, String> {
        let text: String = cell.chars().map(half_width).collect();
        let text = text.trim();
        let is_number = |c: char| c.is_ascii_digit();
        let first = text.find(|c| is_number(c) || matches!(c, '-' | '.')).ok_or(NO_NUMBER)?;
        let end = text.rfind(is_number).ok_or(NO_NUMBER)? + 1;
        if end <= first {
            return Err(NO_NUMBER.to_owned());
        }
        let named = self.currency_of(
            mark(text[..first].trim())?,
            mark(text[end..].trim())?,
            stated.map(str::trim).filter(|code| !code.is_empty()),
        )?;
        let has_default_currency = named.is_none();
        let currency = named.unwrap_or_else(|| DEFAULT_CURRENCY.to_owned());
        let decimals = currency.parse().map_or(2, Currency::decimals);
        let amount = minor_units(&text[first..end], decimals, self.decimal_comma);
        let amount = amount.ok_or_else(|| match decimals {
            2 => NO_NUMBER.to_owned(),
            0 => format!("price: must be a number such as 129; {currency} has no decimals"),
            _ => format!("price: must be a number; {currency} has {decimals} decimals"),
        })?;
        Ok(FilePrice { price: DraftPrice { amount, currency }, has_default_currency })
    }

    /// The currency that the marks, another cell or the client names.
    fn currency_of(
        &self,
        before: Mark,
        after: Mark,
        stated: Option<&str>,
    ) -> Result<Option<String>, String> {
        let chosen = self.currency.as_deref();
        let mut stated = stated.map(currency_code);
        for mark in [before, after] {
            stated = Some(match (mark, stated) {
                (Mark::None, None) => {
                    stated = None;
                    continue;
                }
                (Mark::None, Some(code)) => code,
                (Mark::Code(mark), None) => mark,
                (Mark::Yuan, None) if chosen == Some("JPY") => "JPY".to_owned(),
                (Mark::Yuan, None) => "CNY".to_owned(),
                (Mark::Dollar, None) => match chosen {
                    Some(code) if code.ends_with('D') => code.to_owned(),
                    Some(_) | None => return Err(DOLLARS.to_owned()),
                },
                (Mark::Code(mark), Some(code)) if mark == code => code,
                (Mark::Yuan, Some(code)) if ["CNY", "JPY"].contains(&code.as_str()) => code,
                (Mark::Dollar, Some(code)) if code.ends_with('D') || code == "MXN" => code,
                (Mark::Code(_) | Mark::Yuan | Mark::Dollar, Some(code)) => {
                    return Err(format!("price: has another currency than {code}"));
                }
            });
        }
        Ok(stated.or_else(|| self.currency.clone()))
    }
}

/// The code of a currency cell. Lower case is accepted in files.
fn currency_code(text: &str) -> String {
    match text {
        "元" | "人民币" => "CNY".to_owned(),
        code => code.to_ascii_uppercase(),
    }
}

fn mark(text: &str) -> Result<Mark, String> {
    let code = |code: &str| Mark::Code(code.to_owned());
    Ok(match text {
        "" => Mark::None,
        "¥" => Mark::Yuan,
        "$" => Mark::Dollar,
        "元" | "圆" | "块" | "人民币" | "CN¥" => code("CNY"),
        "日元" | "円" | "JP¥" => code("JPY"),
        "€" | "欧元" => code("EUR"),
        "£" | "英镑" => code("GBP"),
        "₩" | "韩元" => code("KRW"),
        "US$" | "美元" => code("USD"),
        "HK$" | "港元" | "港币" => code("HKD"),
        "NT$" => code("TWD"),
        _ if text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_alphabetic()) => {
            code(&text.to_ascii_uppercase())
        }
        _ => return Err(NO_NUMBER.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::PriceReader;

    fn read(cell: &str, stated: Option<&str>, currency: &str) -> Option<(i64, String)> {
        let prices = PriceReader { currency: Some(currency.to_owned()), decimal_comma: false };
        let read = prices.read(cell, stated).ok()?;
        Some((read.price.amount, read.price.currency))
    }

    #[test]
    fn prices_are_read_as_people_write_them() {
        for (cell, stated, amount, currency) in [
            ("129", None, 12_900, "CNY"),
            ("￥129", None, 12_900, "CNY"),
            ("¥ 129.00", None, 12_900, "CNY"),
            ("1,299.00", None, 129_900, "CNY"),
            ("129元", None, 12_900, "CNY"),
            ("250.00 CNY", None, 25_000, "CNY"),
            ("EUR 9.5", None, 950, "EUR"),
            ("¥1299", Some("JPY"), 1_299, "JPY"),
            ("1299", Some("jpy"), 1_299, "JPY"),
            ("1299.00", Some("JPY"), 1_299, "JPY"),
            ("1.234", Some("KWD"), 1_234, "KWD"),
            ("$5", Some("USD"), 500, "USD"),
            ("１２９．５", None, 12_950, "CNY"),
            ("-1.5", None, -150, "CNY"),
        ] {
            assert_eq!(read(cell, stated, "CNY"), Some((amount, currency.to_owned())), "{cell}");
        }
        assert_eq!(read("$5", None, "CAD"), Some((500, "CAD".to_owned())));
    }

    #[test]
    fn doubtful_prices_are_refused() {
        for (cell, stated) in [
            ("free", None),
            ("$5", None),
            ("€5", Some("CNY")),
            ("5 CNY", Some("EUR")),
            ("12-15", None),
            ("1.234", None),
            ("12.5", Some("JPY")),
            ("129起", None),
            ("", None),
        ] {
            assert_eq!(read(cell, stated, "CNY"), None, "{cell}");
        }
    }
}
