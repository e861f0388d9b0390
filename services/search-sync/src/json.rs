//! Attribute values in JSON: the same form in events, in the catalogue's HTTP API and in the database.

use std::collections::BTreeMap;

use serde_json::{Number, Value};

use crate::domain::AttributeValue;

/// Converts attributes from JSON. Null and objects are dropped: they are not searchable.
pub(crate) fn attributes(json: &BTreeMap<String, Value>) -> BTreeMap<String, AttributeValue> {
    json.iter().filter_map(|(name, value)| Some((name.clone(), attribute_value(value)?))).collect()
}

/// Converts one attribute value from JSON; `None` for null and objects.
pub fn attribute_value(json: &Value) -> Option<AttributeValue> {
    match json {
        Value::String(text) => Some(AttributeValue::Text(text.clone())),
        Value::Number(number) => number.as_f64().map(AttributeValue::Number),
        Value::Bool(flag) => Some(AttributeValue::Flag(*flag)),
        Value::Array(items) => {
            Some(AttributeValue::List(items.iter().filter_map(attribute_value).collect()))
        }
        Value::Null | Value::Object(_) => None,
    }
}

/// Converts an attribute value to JSON. Whole numbers are written without a decimal point.
pub(crate) fn to_json(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::Text(text) => Value::String(text.clone()),
        AttributeValue::Number(number) => {
            number.to_string().parse::<Number>().map_or(Value::Null, Value::Number)
        }
        AttributeValue::Flag(flag) => Value::Bool(*flag),
        AttributeValue::List(items) => Value::Array(items.iter().map(to_json).collect()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{attribute_value, to_json};

    #[test]
    fn searchable_values_round_trip() {
        for json in [json!("x"), json!(87), json!(0.5), json!(-3), json!(["y", 2.4]), json!(true)] {
            let value = attribute_value(&json).unwrap();
            assert_eq!(to_json(&value).to_string(), json.to_string());
        }
        for json in [json!(null), json!({})] {
            assert_eq!(attribute_value(&json), None);
        }
    }
}
