//! Names and amounts, read from arbitrary input: no panic, and what is read is written back.

// Helpers outside of `#[test]` functions are test code too.
#![cfg(test)]

use proptest::prelude::*;
use serde_json::{Value, json};
use vocabulary::{Currency, Localized, Money, OrderId, Sku};

/// What a client may send for a number.
fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,10}".prop_map(Value::from),
        Just(Value::Null),
    ]
}

proptest! {
    #[test]
    fn arbitrary_texts_as_sku(text in "\\PC{0,70}|[A-Za-z0-9_./+#-]{0,70}") {
        if let Ok(sku) = text.parse::<Sku>() {
            prop_assert_eq!(sku.as_str(), &text);
        }
        let from_json = serde_json::from_value::<Sku>(json!(text));
        prop_assert_eq!(from_json.is_ok(), text.parse::<Sku>().is_ok());
    }

    #[test]
    fn arbitrary_texts_as_currency_and_id(text in "\\PC{0,40}|[A-Z]{3}|[0-9a-f-]{36}") {
        if let Ok(currency) = text.parse::<Currency>() {
            prop_assert_eq!(currency.to_string(), text.clone());
        }
        if let Ok(id) = text.parse::<OrderId>() {
            prop_assert_eq!(id.to_string().parse::<OrderId>(), Ok(id));
        }
    }

    #[test]
    fn arbitrary_amounts_as_money(amount in number(), currency in "\\PC{0,4}|[A-Z]{3}") {
        if let Ok(money) = serde_json::from_value::<Money>(json!({"amount": amount, "currency": currency})) {
            let again = serde_json::to_value(money).unwrap();
            prop_assert_eq!(serde_json::from_value::<Money>(again).unwrap(), money);
        }
    }

    #[test]
    fn arbitrary_texts_as_localized(zh in number(), en in "\\PC{0,10}") {
        if let Ok(text) = serde_json::from_value::<Localized>(json!({"zh": zh, "en": en})) {
            let again = serde_json::to_value(&text).unwrap();
            prop_assert_eq!(serde_json::from_value::<Localized>(again).unwrap(), text);
        }
    }
}
