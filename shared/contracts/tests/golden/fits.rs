//! As much of JSON Schema as the schemas of the events use, to hold them against the types that they are made from.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use uuid::Uuid;

/// Whether `value` fits `schema`, a part of `root`. Patterns are not looked at.
pub(crate) fn fits(root: &Value, schema: &Value, value: &Value) -> bool {
    let Some(keywords) = schema.as_object() else { return schema.as_bool().unwrap() };
    keywords.iter().all(|(keyword, says)| match keyword.as_str() {
        "$ref" => {
            let pointer = says.as_str().unwrap().strip_prefix('#').unwrap();
            fits(root, root.pointer(pointer).unwrap(), value)
        }
        "anyOf" => says.as_array().unwrap().iter().any(|schema| fits(root, schema, value)),
        "oneOf" => {
            let fitting = says.as_array().unwrap().iter();
            fitting.filter(|schema| fits(root, schema, value)).count() == 1
        }
        "const" => value == says,
        "enum" => says.as_array().unwrap().contains(value),
        "type" => says
            .as_array()
            .map_or_else(|| is(says, value), |types| types.iter().any(|one| is(one, value))),
        "format" => match says.as_str().unwrap() {
            "uuid" => value.as_str().is_none_or(|text| text.parse::<Uuid>().is_ok()),
            "date-time" => value.as_str().is_none_or(|text| text.parse::<DateTime<Utc>>().is_ok()),
            // How a number is held; its bounds stand beside it.
            "int64" | "uint32" | "double" => true,
            other => unknown(other),
        },
        "minimum" => value.as_i64().is_none_or(|number| number >= says.as_i64().unwrap()),
        "maximum" => value.as_i64().is_none_or(|number| number <= says.as_i64().unwrap()),
        "items" => {
            value.as_array().is_none_or(|items| items.iter().all(|item| fits(root, says, item)))
        }
        "properties" => says.as_object().unwrap().iter().all(|(name, schema)| {
            value.get(name).is_none_or(|property| fits(root, schema, property))
        }),
        "required" => says.as_array().unwrap().iter().all(|name| {
            value.as_object().is_none_or(|object| object.contains_key(name.as_str().unwrap()))
        }),
        "additionalProperties" => {
            let named = |name| schema["properties"].get(name).is_some();
            value.as_object().is_none_or(|object| {
                let mut others = object.iter().filter(|(name, _)| !named(*name));
                others.all(|(_, other)| fits(root, says, other))
            })
        }
        "$schema" | "$defs" | "title" | "description" | "default" | "pattern" | "x-aggregate" => {
            true
        }
        other => unknown(other),
    })
}

fn is(kind: &Value, value: &Value) -> bool {
    match kind.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => unknown(other),
    }
}

#[expect(clippy::panic, reason = "what is not checked must not pass for right")]
fn unknown(what: &str) -> bool {
    panic!("`{what}` is not known to this test")
}

/// Changes the property of a name in an object.
pub(crate) type Change<'a> = &'a dyn Fn(&mut Map<String, Value>, &str);

/// `value` with each of its properties, at any depth, put to `change` in turn.
pub(crate) fn changed(value: &Value, change: Change<'_>) -> Vec<Value> {
    let mut changed_values = Vec::new();
    match value {
        Value::Object(object) => {
            for (name, property) in object {
                let mut other = object.clone();
                change(&mut other, name);
                changed_values.push(Value::Object(other));
                for property in changed(property, change) {
                    let mut other = object.clone();
                    other.insert(name.clone(), property);
                    changed_values.push(Value::Object(other));
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                for item in changed(item, change) {
                    let mut other = items.clone();
                    other[index] = item;
                    changed_values.push(Value::Array(other));
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    changed_values
}
