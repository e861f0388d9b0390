//! The normal form of a JSON Schema: schemas with the same meaning have the same normal form.

use serde_json::{Map, Value, json};

/// Keywords that do not restrict values.
const ANNOTATIONS: [&str; 10] = [
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

/// The keyword of the normal form for the alternatives of both `anyOf` and `oneOf`.
pub(crate) const ALTERNATIVES: &str = "alternatives";

/// The schema that rejects every value.
pub(crate) fn reject_all() -> Value {
    json!({"not": {}})
}

/// The normal form of a self-contained schema: references resolved, annotations removed, unordered lists sorted, and one notation
/// where JSON Schema has several (for constants, nullable types and unrestricted values).
pub(crate) fn normalize(schema: &Value) -> Map<String, Value> {
    Normalizer { root: schema, open_references: Vec::new() }.normalize(schema)
}

/// Resolves the references of one schema.
struct Normalizer<'a> {
    root: &'a Value,
    /// The references being resolved, to detect recursive types.
    open_references: Vec<&'a str>,
}

impl<'a> Normalizer<'a> {
    fn normalize(&mut self, schema: &'a Value) -> Map<String, Value> {
        let Some(keywords) = schema.as_object() else {
            let accepts_all = schema.as_bool().unwrap_or(true);
            return if accepts_all {
                Map::new()
            } else {
                Map::from_iter([("not".to_owned(), json!({}))])
            };
        };
        let mut result = Map::new();
        if let Some(Value::String(reference)) = keywords.get("$ref") {
            result = self.resolve(reference);
        }
        for (keyword, value) in keywords {
            let name = keyword.as_str();
            if name == "$ref" || ANNOTATIONS.contains(&name) {
                continue;
            }
            let (name, value) = match name {
                // An absent property is null anyway.
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
                | "unevaluatedProperties" => (name, Value::Object(self.normalize(value))),
                "const" => ("enum", json!([value])),
                "type" if value.is_string() => ("type", json!([value])),
                "type" | "enum" | "required" => (name, sorted(value)),
                _ => (name, value.clone()),
            };
            // A schema may have a keyword beside a reference that has it too, or `anyOf` beside `oneOf`: both apply.
            if result.get(name).is_some_and(|other| *other != value) {
                result.insert(format!("{name} (also)"), value);
            } else {
                result.insert(name.to_owned(), value);
            }
        }
        for keyword in ["items", "additionalProperties"] {
            if result.get(keyword) == Some(&json!({})) {
                result.remove(keyword);
            }
        }
        merge_alternatives(&mut result);
        result
    }

    fn resolve(&mut self, reference: &'a str) -> Map<String, Value> {
        let target = reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
        match target {
            Some(target) if !self.open_references.contains(&reference) => {
                self.open_references.push(reference);
                let result = self.normalize(target);
                self.open_references.pop();
                result
            }
            // A recursive type is compared at its first occurrence.
            _ => Map::from_iter([("$ref".to_owned(), reference.into())]),
        }
    }

    fn list(&mut self, value: &'a Value) -> Value {
        let schemas = value.as_array().into_iter().flatten();
        schemas.map(|schema| Value::Object(self.normalize(schema))).collect()
    }

    fn named(&mut self, value: &'a Value) -> Value {
        let schemas = value.as_object().into_iter().flatten();
        let schemas =
            schemas.map(|(name, schema)| (name.clone(), Value::Object(self.normalize(schema))));
        Value::Object(schemas.collect())
    }
}

fn sorted(value: &Value) -> Value {
    let mut items = value.as_array().cloned().unwrap_or_default();
    items.sort_by_key(ToString::to_string);
    items.dedup();
    Value::Array(items)
}

/// Merges alternatives that are all constants into one `enum`, and turns an alternative to null into a nullable type.
fn merge_alternatives(schema: &mut Map<String, Value>) {
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
            Some(
                json!({"enum": union(&alternatives, "enum"), "type": union(&alternatives, "type")}),
            )
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

/// The values of `keyword` in all alternatives.
fn union(alternatives: &[Value], keyword: &str) -> Value {
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

    use super::normalize;

    #[track_caller]
    fn assert_equivalent(one: &Value, other: &Value) {
        assert_eq!(normalize(one), normalize(other));
    }

    #[test]
    fn annotations_are_ignored() {
        assert_equivalent(
            &json!({"title": "A", "description": "b", "type": "string", "default": null}),
            &json!({"type": "string"}),
        );
    }

    #[test]
    fn references_are_resolved() {
        assert_equivalent(
            &json!({"$defs": {"Id": {"type": "string", "format": "uuid"}}, "items": {"$ref": "#/$defs/Id", "description": "b"}}),
            &json!({"items": {"type": "string", "format": "uuid"}}),
        );
    }

    #[test]
    fn constants_become_an_enum() {
        assert_equivalent(
            &json!({"oneOf": [{"const": "b", "type": "string", "description": "B."}, {"enum": ["a"]}]}),
            &json!({"type": "string", "enum": ["a", "b"]}),
        );
    }

    #[test]
    fn an_alternative_to_null_becomes_a_nullable_type() {
        assert_equivalent(
            &json!({"$defs": {"E": {"enum": ["a"]}}, "anyOf": [{"$ref": "#/$defs/E"}, {"type": "null"}]}),
            &json!({"type": ["null", "string"], "enum": ["a", null]}),
        );
    }

    #[test]
    fn unrestricted_keywords_are_removed() {
        assert_equivalent(&json!({"type": "array", "items": true}), &json!({"type": ["array"]}));
        assert_equivalent(&json!({"additionalProperties": true}), &json!({}));
    }

    #[test]
    fn recursive_types_terminate() {
        let tree = json!({"type": "object", "properties": {"children": {"items": {"$ref": "#"}}}});
        assert!(normalize(&tree).contains_key("properties"));
    }

    #[test]
    fn keywords_beside_a_reference_apply_too() {
        let schema = json!({"$defs": {"N": {"minimum": 1}}, "$ref": "#/$defs/N", "minimum": 2});
        assert_eq!(Value::Object(normalize(&schema)), json!({"minimum": 1, "minimum (also)": 2}));
    }
}
