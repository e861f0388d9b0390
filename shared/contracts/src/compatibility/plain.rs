//! Schemas in a form in which what means the same looks the same.

use serde_json::{Map, Value, json};

/// Keywords that say nothing about what is allowed.
const REMARKS: [&str; 10] = [
    "$comment",
    "$defs",
    "$id",
    "$schema",
    "definitions",
    "deprecated",
    "description",
    "examples",
    "readOnly",
    "title",
];

/// The keyword that holds alternatives in the plain form, be they said with `anyOf` or with `oneOf`.
pub(crate) const ALTERNATIVES: &str = "alternatives";

/// What nothing fits.
pub(crate) fn nothing() -> Value {
    json!({"not": {}})
}

/// The plain form of a schema that is whole in itself: references followed, remarks left out, lists whose order means nothing
/// sorted, and one way of writing where JSON Schema knows several (of constants, of what may be null, of what may be anything).
pub(crate) fn plain(schema: &Value) -> Map<String, Value> {
    Reader { root: schema, inside: Vec::new() }.read(schema)
}

/// Follows the references of one schema.
struct Reader<'a> {
    root: &'a Value,
    /// The references that are being followed.
    inside: Vec<&'a str>,
}

impl<'a> Reader<'a> {
    fn read(&mut self, schema: &'a Value) -> Map<String, Value> {
        let Some(keywords) = schema.as_object() else {
            let all = schema.as_bool().unwrap_or(true);
            return if all { Map::new() } else { Map::from_iter([("not".to_owned(), json!({}))]) };
        };
        let mut result = Map::new();
        if let Some(Value::String(reference)) = keywords.get("$ref") {
            result = self.follow(reference);
        }
        for (keyword, value) in keywords {
            let name = keyword.as_str();
            if name == "$ref" || REMARKS.contains(&name) {
                continue;
            }
            let (name, value) = match name {
                // What is absent is nothing, unless said otherwise.
                "default" if value.is_null() => continue,
                "anyOf" | "oneOf" => (ALTERNATIVES, self.list(value)),
                "allOf" | "prefixItems" => (name, self.list(value)),
                "properties" | "patternProperties" | "dependentSchemas" => {
                    (name, self.named(value))
                }
                "items"
                | "additionalProperties"
                | "propertyNames"
                | "contains"
                | "not"
                | "if"
                | "then"
                | "else"
                | "unevaluatedItems"
                | "unevaluatedProperties" => (name, Value::Object(self.read(value))),
                "const" => ("enum", json!([value])),
                "type" if value.is_string() => ("type", json!([value])),
                "type" | "enum" | "required" => (name, sorted(value)),
                _ => (name, value.clone()),
            };
            // A schema may say a keyword of its own beside a reference, or `anyOf` beside `oneOf`: all of it counts.
            if result.get(name).is_some_and(|other| *other != value) {
                result.insert(format!("{name} (also)"), value);
            } else {
                result.insert(name.to_owned(), value);
            }
        }
        for anything in ["items", "additionalProperties"] {
            if result.get(anything) == Some(&json!({})) {
                result.remove(anything);
            }
        }
        fold(&mut result);
        result
    }

    fn follow(&mut self, reference: &'a str) -> Map<String, Value> {
        let target = reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
        match target {
            Some(target) if !self.inside.contains(&reference) => {
                self.inside.push(reference);
                let result = self.read(target);
                self.inside.pop();
                result
            }
            // A type within itself: it is compared where it stands first.
            _ => Map::from_iter([("$ref".to_owned(), reference.into())]),
        }
    }

    fn list(&mut self, value: &'a Value) -> Value {
        let schemas = value.as_array().into_iter().flatten();
        schemas.map(|schema| Value::Object(self.read(schema))).collect()
    }

    fn named(&mut self, value: &'a Value) -> Value {
        let schemas = value.as_object().into_iter().flatten();
        let schemas =
            schemas.map(|(name, schema)| (name.clone(), Value::Object(self.read(schema))));
        Value::Object(schemas.collect())
    }
}

fn sorted(value: &Value) -> Value {
    let mut items = value.as_array().cloned().unwrap_or_default();
    items.sort_by_key(ToString::to_string);
    items.dedup();
    Value::Array(items)
}

/// Writes alternatives that are but constants as one list of constants, and an alternative to null as a type that may be null.
fn fold(schema: &mut Map<String, Value>) {
    if let Some(Value::Array(mut alternatives)) = schema.remove(ALTERNATIVES) {
        let count = alternatives.len();
        alternatives.retain(|alternative| *alternative != json!({"type": ["null"]}));
        let nullable = alternatives.len() < count;
        let constants = alternatives.iter().all(|alternative| {
            let keywords = alternative.as_object();
            keywords.is_some_and(|keywords| {
                keywords.contains_key("enum")
                    && keywords.keys().all(|keyword| keyword == "enum" || keyword == "type")
            })
        });
        let merged = if constants && !alternatives.is_empty() {
            Some(json!({"enum": all(&alternatives, "enum"), "type": all(&alternatives, "type")}))
        } else if let [alternative] = alternatives.as_slice() {
            Some(alternative.clone())
        } else {
            None
        };
        match merged {
            Some(Value::Object(mut merged))
                if !merged.keys().any(|keyword| schema.contains_key(keyword)) =>
            {
                if nullable && let Some(Value::Array(types)) = merged.get_mut("type") {
                    types.push("null".into());
                }
                schema.append(&mut merged);
            }
            _ => {
                if nullable {
                    alternatives.push(json!({"type": ["null"]}));
                }
                schema.insert(ALTERNATIVES.to_owned(), Value::Array(alternatives));
            }
        }
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        let types: Vec<Value> = values.iter().map(|value| type_of(value).into()).collect();
        values.retain(|value| !value.is_null());
        schema.entry("type").or_insert(Value::Array(types));
    }
    if let Some(types) = schema.get_mut("type") {
        *types = sorted(types);
    }
}

/// What the alternatives say under `keyword`, together.
fn all(alternatives: &[Value], keyword: &str) -> Value {
    let items = alternatives.iter().filter_map(|alternative| alternative[keyword].as_array());
    sorted(&items.flatten().cloned().collect())
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::plain;

    #[track_caller]
    fn same(one: &Value, other: &Value) {
        assert_eq!(plain(one), plain(other));
    }

    #[test]
    fn remarks_mean_nothing() {
        same(
            &json!({"title": "A", "description": "b", "type": "string", "default": null}),
            &json!({"type": "string"}),
        );
    }

    #[test]
    fn a_reference_is_what_it_refers_to() {
        same(
            &json!({"$defs": {"Id": {"type": "string", "format": "uuid"}}, "items": {"$ref": "#/$defs/Id", "description": "b"}}),
            &json!({"items": {"type": "string", "format": "uuid"}}),
        );
    }

    #[test]
    fn constants_are_a_list_of_values() {
        same(
            &json!({"oneOf": [{"const": "b", "type": "string", "description": "B."}, {"enum": ["a"]}]}),
            &json!({"type": "string", "enum": ["a", "b"]}),
        );
    }

    #[test]
    fn what_may_be_null_has_null_among_its_types() {
        same(
            &json!({"$defs": {"E": {"enum": ["a"]}}, "anyOf": [{"$ref": "#/$defs/E"}, {"type": "null"}]}),
            &json!({"type": ["null", "string"], "enum": ["a", null]}),
        );
    }

    #[test]
    fn what_may_be_anything_need_not_be_said() {
        same(&json!({"type": "array", "items": true}), &json!({"type": ["array"]}));
        same(&json!({"additionalProperties": true}), &json!({}));
    }

    #[test]
    fn a_type_within_itself_comes_to_an_end() {
        let tree = json!({"type": "object", "properties": {"children": {"items": {"$ref": "#"}}}});
        assert!(plain(&tree).contains_key("properties"));
    }

    #[test]
    fn what_stands_beside_a_reference_counts() {
        let schema = json!({"$defs": {"N": {"minimum": 1}}, "$ref": "#/$defs/N", "minimum": 2});
        assert_eq!(Value::Object(plain(&schema)), json!({"minimum": 1, "minimum (also)": 2}));
    }
}
