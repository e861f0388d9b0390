//! Amounts of money in minor units, never negative.

use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::quantity::Quantity;

/// The largest price or total: 10 billion in major units, far from overflow.
const MAX_AMOUNT: i64 = 1_000_000_000_000;

/// An ISO 4217 currency code: three capital letters.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    ToSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("pattern" = "^[A-Z]{3}$"))]
#[schema(value_type = String, example = "CNY", pattern = "^[A-Z]{3}$")]
pub struct Currency([u8; 3]);

impl Currency {
    /// Renminbi yuan, the shop's own currency.
    pub const CNY: Self = Self(*b"CNY");
    pub const EUR: Self = Self(*b"EUR");

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The currency of a code that ISO 4217 lists, with decimals. Parsing accepts any three letters, because
    /// events may contain codes that were accepted earlier.
    pub fn known(code: &str) -> Result<Self, UnknownCurrency> {
        let currency: Self = code.parse()?;
        match code {
            _ if currency.iso_decimals().is_some() => Ok(currency),
            "RMB" => Err(UnknownCurrency::Renminbi),
            _ => Err(UnknownCurrency::Unlisted(currency)),
        }
    }

    /// The number of decimals of the major unit: 2 for CNY, 0 for JPY, 3 for KWD; 2 for an unknown code.
    pub fn decimals(self) -> u32 {
        self.iso_decimals().unwrap_or(2)
    }

    fn iso_decimals(self) -> Option<u32> {
        iso_currency::Currency::from_code(self.as_str())?.exponent().map(u32::from)
    }
}

impl std::fmt::Display for Currency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Currency {
    type Err = InvalidMoney;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match <[u8; 3]>::try_from(text.as_bytes()) {
            Ok(letters) if letters.iter().all(u8::is_ascii_uppercase) => Ok(Self(letters)),
            _ => Err(InvalidMoney::Currency),
        }
    }
}

impl TryFrom<String> for Currency {
    type Error = InvalidMoney;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.as_str().to_owned()
    }
}

/// Why an amount or currency was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMoney {
    #[error("an amount of money must not be negative")]
    Negative,
    #[error("an amount of money must be at most {MAX_AMOUNT} minor units")]
    TooLarge,
    #[error("a currency is three capital letters, such as CNY")]
    Currency,
    #[error("amounts of different currencies cannot be added")]
    MixedCurrencies,
}

/// Why a code is no currency of ISO 4217.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnknownCurrency {
    #[error(transparent)]
    Format(#[from] InvalidMoney),
    /// The name of the money instead of the code of the currency.
    #[error("RMB is no code of ISO 4217; use CNY")]
    Renminbi,
    #[error("{0} is no currency of ISO 4217")]
    Unlisted(Currency),
}

/// A non-negative amount in minor units (fen, cents) of one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(try_from = "RawMoney")]
#[schema(example = json!({"amount": 12900, "currency": "CNY"}))]
pub struct Money {
    /// In minor units: 12900 is 129.00.
    amount: i64,
    currency: Currency,
}

/// Money as written in JSON, before validation.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawMoney {
    #[schemars(range(min = 0, max = MAX_AMOUNT))]
    amount: i64,
    currency: Currency,
}

impl TryFrom<RawMoney> for Money {
    type Error = InvalidMoney;

    fn try_from(raw: RawMoney) -> Result<Self, Self::Error> {
        Self::new(raw.amount, raw.currency)
    }
}

impl Money {
    /// `amount` minor units of `currency`.
    pub fn new(amount: i64, currency: Currency) -> Result<Self, InvalidMoney> {
        match amount {
            ..0 => Err(InvalidMoney::Negative),
            0..=MAX_AMOUNT => Ok(Self { amount, currency }),
            _ => Err(InvalidMoney::TooLarge),
        }
    }

    pub const fn zero(currency: Currency) -> Self {
        Self { amount: 0, currency }
    }

    /// The amount in minor units.
    pub const fn amount(self) -> i64 {
        self.amount
    }

    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// The sum; both amounts must have the same currency.
    pub fn plus(self, other: Self) -> Result<Self, InvalidMoney> {
        if self.currency != other.currency {
            return Err(InvalidMoney::MixedCurrencies);
        }
        let sum = self.amount.checked_add(other.amount).ok_or(InvalidMoney::TooLarge)?;
        Self::new(sum, self.currency)
    }

    /// The price of `quantity` pieces.
    pub fn times(self, quantity: Quantity) -> Result<Self, InvalidMoney> {
        let product =
            self.amount.checked_mul(i64::from(quantity.get())).ok_or(InvalidMoney::TooLarge)?;
        Self::new(product, self.currency)
    }
}

impl std::fmt::Display for Money {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let decimals = self.currency.decimals();
        let unit = 10_i64.pow(decimals);
        write!(f, "{}", self.amount / unit)?;
        if decimals > 0 {
            let width = usize::try_from(decimals).unwrap_or_default();
            write!(f, ".{:0width$}", self.amount % unit)?;
        }
        write!(f, " {}", self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::{Currency, InvalidMoney, MAX_AMOUNT, Money};
    use crate::quantity::Quantity;

    #[test]
    fn negative_and_overflowing_amounts_are_rejected() {
        assert_eq!(Money::new(-1, Currency::CNY), Err(InvalidMoney::Negative));
        assert_eq!(Money::new(MAX_AMOUNT + 1, Currency::CNY), Err(InvalidMoney::TooLarge));
        let dear = Money::new(MAX_AMOUNT, Currency::CNY).unwrap();
        assert_eq!(dear.times(Quantity::new(2).unwrap()), Err(InvalidMoney::TooLarge));
        assert_eq!(dear.plus(dear), Err(InvalidMoney::TooLarge));
    }

    #[test]
    fn currencies_do_not_mix() {
        let (yuan, euro) = (Money::zero(Currency::CNY), Money::zero(Currency::EUR));
        assert_eq!(yuan.plus(euro), Err(InvalidMoney::MixedCurrencies));
    }

    #[test]
    fn currencies_have_their_own_decimals() {
        let shown =
            |amount, code: &str| Money::new(amount, code.parse().unwrap()).unwrap().to_string();
        assert_eq!(shown(1299, "JPY"), "1299 JPY");
        assert_eq!(shown(1234, "KWD"), "1.234 KWD");
        assert_eq!(shown(5, "CNY"), "0.05 CNY");
    }

    #[test]
    fn only_currencies_of_iso_4217_are_known() {
        for code in ["CNY", "KRW"] {
            assert_eq!(Currency::known(code), Ok(code.parse().unwrap()));
        }
        for (code, message) in [
            ("RMB", "RMB is no code of ISO 4217; use CNY"),
            ("ZZZ", "ZZZ is no currency of ISO 4217"),
            ("XAU", "XAU is no currency of ISO 4217"),
            ("cny", "a currency is three capital letters, such as CNY"),
            ("", "a currency is three capital letters, such as CNY"),
        ] {
            assert_eq!(Currency::known(code).unwrap_err().to_string(), message, "{code}");
        }
    }

    #[test]
    fn json_is_validated() {
        let good: Money = serde_json::from_str(r#"{"amount":12900,"currency":"CNY"}"#).unwrap();
        assert_eq!(good.to_string(), "129.00 CNY");
        for bad in [
            r#"{"amount":-1,"currency":"CNY"}"#,
            r#"{"amount":1.5,"currency":"CNY"}"#,
            r#"{"amount":1,"currency":"yuan"}"#,
            r#"{"amount":1,"currency":"CNY","tax":0}"#,
        ] {
            assert!(serde_json::from_str::<Money>(bad).is_err(), "{bad}");
        }
    }
}
