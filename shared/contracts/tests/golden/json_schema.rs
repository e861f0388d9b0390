//! A JSON Schema validator for the keywords that the events' schemas use, and mutations of JSON values.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use uuid::Uuid;

/// Whether `value` is valid for `schema`, a part of `root`. Ignores patterns.
pub(crate) fn is_valid(root: &Value, schema: &Value, value: &Value) -> bool {
    let Some(keywords) = schema.as_object() else { return schema.as_bool().unwrap() };
    keywords.iter().all(|(keyword, argument)| match keyword.as_str() {
        "$ref" => {
            let pointer = argument.as_str().unwrap().strip_prefix('#').unwrap();
            is_valid(root, root.pointer(pointer).unwrap(), value)
        }
        "anyOf" => argument.as_array().unwrap().iter().any(|schema| is_valid(root, schema, value)),
        "oneOf" => {
            let valid = argument.as_array().unwrap().iter();
            valid.filter(|schema| is_valid(root, schema, value)).count() == 1
        }
        "const" => value == argument,
        "enum" => argument.as_array().unwrap().contains(value),
        "type" => argument.as_array().map_or_else(
            || is_of_type(argument, value),
            |types| types.iter().any(|one| is_of_type(one, value)),
        ),
        "format" => match argument.as_str().unwrap() {
            "uuid" => value.as_str().is_none_or(|text| text.parse::<Uuid>().is_ok()),
            "date-time" => value.as_str().is_none_or(|text| text.parse::<DateTime<Utc>>().is_ok()),
            // The representation of a number; separate keywords give its bounds.
            "int64" | "uint32" | "double" => true,
            other => unsupported(other),
        },
        "minimum" => value.as_i64().is_none_or(|number| number >= argument.as_i64().unwrap()),
        "maximum" => value.as_i64().is_none_or(|number| number <= argument.as_i64().unwrap()),
        "items" => value
            .as_array()
            .is_none_or(|items| items.iter().all(|item| is_valid(root, argument, item))),
        "properties" => argument.as_object().unwrap().iter().all(|(name, schema)| {
            value.get(name).is_none_or(|property| is_valid(root, schema, property))
        }),
        "required" => argument.as_array().unwrap().iter().all(|name| {
            value.as_object().is_none_or(|object| object.contains_key(name.as_str().unwrap()))
        }),
        "additionalProperties" => {
            let named = |name| schema["properties"].get(name).is_some();
            value.as_object().is_none_or(|object| {
                let mut others = object.iter().filter(|(name, _)| !named(*name));
                others.all(|(_, other)| is_valid(root, argument, other))
            })
        }
        "$schema" | "$defs" | "title" | "description" | "default" | "pattern" | "x-aggregate" => {
            true
        }
        other => unsupported(other),
    })
}

fn is_of_type(kind: &Value, value: &Value) -> bool {
    match kind.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => unsupported(other),
    }
}

#[expect(clippy::panic, reason = "an unsupported keyword must not pass")]
fn unsupported(keyword: &str) -> bool {
    panic!("this test does not support `{keyword}`")
}

/// Changes the named property of an object.
pub(crate) type Mutation<'a> = &'a dyn Fn(&mut Map<String, Value>, &str);

/// Copies of `value`, each with the mutation applied to another property, at any depth.
pub(crate) fn mutations(value: &Value, mutation: Mutation<'_>) -> Vec<Value> {
    let mut mutated_values = Vec::new();
    match value {
        Value::Object(object) => {
            for (name, property) in object {
                let mut mutated = object.clone();
                mutation(&mut mutated, name);
                mutated_values.push(Value::Object(mutated));
                for property in mutations(property, mutation) {
                    let mut mutated = object.clone();
                    mutated.insert(name.clone(), property);
                    mutated_values.push(Value::Object(mutated));
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                for item in mutations(item, mutation) {
                    let mut mutated = items.clone();
                    mutated[index] = item;
                    mutated_values.push(Value::Array(mutated));
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    mutated_values
}
