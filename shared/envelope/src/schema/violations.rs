//! Schema violations of the data of one event, as a diagnosis for operators.
//!
//! The Rust type decides whether an event can be decoded. This module only locates the problem. It checks types, properties, lists,
//! values, bounds, and the formats of ids and times; it ignores everything else, such as patterns.

use chrono::DateTime;
use serde::Serialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    compatibility::OPEN,
    normal_form::{ALTERNATIVES, normalize, reject_all},
};

/// The most characters shown of a value.
const MAX_SHOWN_CHARS: usize = 80;

/// One violation of a schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SchemaViolation {
    /// The path to the value, such as `lines[2].sku`; empty for the root.
    #[serde(rename = "place")]
    pub path: String,
    #[serde(rename = "what")]
    pub kind: ViolationKind,
    /// What the schema demands.
    pub expected: String,
    /// The value, truncated; `None` if it is missing.
    pub found: Option<String>,
}

/// How a value violates its schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ViolationKind {
    /// A required property is missing.
    Missing,
    /// The schema does not define the property. Most types ignore it.
    Unknown,
    WrongType,
    /// The type is right, the value is not allowed.
    WrongValue,
}

/// All violations of `schema` by `data`, in the order of the schema's properties.
pub fn schema_violations(schema: &Value, data: &Value) -> Vec<SchemaViolation> {
    let mut violations = Violations(Vec::new());
    violations.compare("", &normalize(schema), data);
    violations.0
}

struct Violations(Vec<SchemaViolation>);

impl Violations {
    fn add(&mut self, path: &str, kind: ViolationKind, expected: String, data: Option<&Value>) {
        let found = data.map(|data| data.to_string().chars().take(MAX_SHOWN_CHARS).collect());
        self.0.push(SchemaViolation { path: path.to_owned(), kind, expected, found });
    }

    /// Compares data with a schema in normal form.
    fn compare(&mut self, path: &str, schema: &Map<String, Value>, data: &Value) {
        if let Some(types) = list(schema, "type")
            && !types.iter().any(|wanted| is_of(data, wanted.as_str().unwrap_or_default()))
        {
            return self.add(path, ViolationKind::WrongType, join(types), Some(data));
        }
        if data.is_null() && list(schema, "type").is_some() {
            return;
        }
        self.values(path, schema, data);
        self.alternatives(path, schema, data);
        for all in list(schema, "allOf").into_iter().flatten().filter_map(Value::as_object) {
            self.compare(path, all, data);
        }
        match data {
            Value::Object(object) => self.properties(path, schema, object),
            Value::Array(items) => {
                let Some(schema) = schema.get("items").and_then(Value::as_object) else { return };
                for (index, item) in items.iter().enumerate() {
                    self.compare(&format!("{path}[{index}]"), schema, item);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn properties(&mut self, path: &str, schema: &Map<String, Value>, data: &Map<String, Value>) {
        let named = schema.get("properties").and_then(Value::as_object);
        for (name, schema) in named.into_iter().flatten() {
            if let (Some(schema), Some(data)) = (schema.as_object(), data.get(name)) {
                self.compare(&join_path(path, name), schema, data);
            }
        }
        let required = list(schema, "required").into_iter().flatten().filter_map(Value::as_str);
        for name in required.filter(|name| !data.contains_key(*name)) {
            let types = named.and_then(|named| named.get(name)?.get("type")?.as_array());
            let expected = types.map_or_else(String::new, |types| join(types));
            self.add(&join_path(path, name), ViolationKind::Missing, expected, None);
        }
        let others = schema.get("additionalProperties").and_then(Value::as_object);
        for (name, value) in data {
            let is_named = named.is_some_and(|named| named.contains_key(name));
            match others {
                _ if is_named => {}
                Some(others) if *others != json_object(reject_all()) => {
                    self.compare(&join_path(path, name), others, value);
                }
                None if named.is_none() => {}
                _ => {
                    self.add(
                        &join_path(path, name),
                        ViolationKind::Unknown,
                        String::new(),
                        Some(value),
                    );
                }
            }
        }
    }

    fn values(&mut self, path: &str, schema: &Map<String, Value>, data: &Value) {
        let mut wrong = |expected: String| {
            self.add(path, ViolationKind::WrongValue, expected, Some(data));
        };
        let is_open = schema.get(OPEN) == Some(&json!(true));
        if let Some(values) = list(schema, "enum")
            && !values.contains(data)
            && !is_open
        {
            wrong(join(values));
        }
        if let (Some(data), Some(least)) = (data.as_f64(), number(schema, "minimum"))
            && data < least
        {
            wrong(format!("≥ {least}"));
        }
        if let (Some(data), Some(most)) = (data.as_f64(), number(schema, "maximum"))
            && data > most
        {
            wrong(format!("≤ {most}"));
        }
        if let (Some(text), Some(format)) = (data.as_str(), schema.get("format")) {
            let fits = match format.as_str() {
                Some("uuid") => Uuid::try_parse(text).is_ok(),
                Some("date-time") => DateTime::parse_from_rfc3339(text).is_ok(),
                _ => true,
            };
            if !fits {
                wrong(format.as_str().unwrap_or_default().to_owned());
            }
        }
    }

    /// If no alternative fits, reports the violations of the closest one.
    fn alternatives(&mut self, path: &str, schema: &Map<String, Value>, data: &Value) {
        let alternatives = list(schema, ALTERNATIVES).into_iter().flatten();
        let tried = alternatives.filter_map(Value::as_object).map(|schema| {
            let mut violations = Self(Vec::new());
            violations.compare(path, schema, data);
            violations.0
        });
        // Unknown properties are harmless: an alternative without any other violation fits.
        let severity = |violations: &Vec<SchemaViolation>| {
            let harmful = violations.iter().filter(|one| one.kind != ViolationKind::Unknown);
            (harmful.count(), violations.len())
        };
        self.0.extend(tried.min_by_key(severity).unwrap_or_default());
    }
}

fn list<'a>(schema: &'a Map<String, Value>, keyword: &str) -> Option<&'a Vec<Value>> {
    schema.get(keyword)?.as_array()
}

fn number(schema: &Map<String, Value>, keyword: &str) -> Option<f64> {
    schema.get(keyword)?.as_f64()
}

fn json_object(value: Value) -> Map<String, Value> {
    if let Value::Object(object) = value { object } else { Map::new() }
}

fn join_path(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// Types or values as text.
fn join(values: &[Value]) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    values.iter().map(text).collect::<Vec<_>>().join(" | ")
}

fn is_of(data: &Value, wanted: &str) -> bool {
    match wanted {
        "null" => data.is_null(),
        "boolean" => data.is_boolean(),
        "number" => data.is_number(),
        "integer" => data.is_i64() || data.is_u64(),
        "string" => data.is_string(),
        "array" => data.is_array(),
        "object" => data.is_object(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::{DateTime, Utc};
    use schemars::JsonSchema;
    use serde::{Deserialize, Serialize};
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::{ViolationKind, schema_violations};
    use crate::{event, event::Event, schema::Contract};

    const ID: &str = "01920000-0000-7000-8000-000000000001";

    #[derive(Serialize, Deserialize, JsonSchema)]
    struct OrderPlacedV1 {
        order_id: Uuid,
        customer_id: Uuid,
        lines: Vec<Line>,
        placed_at: DateTime<Utc>,
    }

    #[derive(Serialize, Deserialize, JsonSchema)]
    struct Line {
        sku: String,
        product_id: Option<Uuid>,
        #[schemars(range(min = 1))]
        quantity: i64,
    }

    event!(OrderPlacedV1, "order.placed.v1", "order", event => event.order_id.to_string());

    #[derive(Serialize, Deserialize, JsonSchema)]
    struct ProductChangedV1 {
        product_id: Uuid,
        brand: Option<String>,
        attributes: BTreeMap<String, Value>,
        status: Status,
        options: BTreeMap<String, String>,
    }

    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    enum Status {
        /// For sale.
        Active,
        Archived,
    }

    event!(ProductChangedV1, "product.changed.v1", "product", event => event.product_id.to_string());

    fn violations<E: Event>(data: &Value) -> Vec<(String, ViolationKind)> {
        let violations = schema_violations(&Contract::of::<E>().schema, data);
        violations.into_iter().map(|violation| (violation.path, violation.kind)).collect()
    }

    #[track_caller]
    fn assert_order_violations(data: &Value, expected: &[(&str, ViolationKind)]) {
        let expected: Vec<_> =
            expected.iter().map(|(path, kind)| ((*path).to_owned(), *kind)).collect();
        assert_eq!(violations::<OrderPlacedV1>(data), expected);
    }

    fn order() -> Value {
        json!({"order_id": ID, "customer_id": ID, "placed_at": "2026-11-22T08:00:00Z",
            "lines": [{"sku": "A", "quantity": 1, "product_id": null}]})
    }

    #[test]
    fn valid_data_has_no_violations() {
        assert_order_violations(&order(), &[]);
    }

    #[test]
    fn violations_are_reported_with_their_path() {
        let mut order = order();
        order["lines"] = json!([{"sku": 17, "quantity": 0}, {"quantity": 2, "colour": "red"}]);
        order["placed_at"] = json!("yesterday");
        order.as_object_mut().unwrap().remove("customer_id");
        order["order_id"] = json!("x");
        assert_order_violations(
            &order,
            &[
                ("lines[0].quantity", ViolationKind::WrongValue),
                ("lines[0].sku", ViolationKind::WrongType),
                ("lines[1].sku", ViolationKind::Missing),
                ("lines[1].colour", ViolationKind::Unknown),
                ("order_id", ViolationKind::WrongValue),
                ("placed_at", ViolationKind::WrongValue),
                ("customer_id", ViolationKind::Missing),
            ],
        );
        assert_order_violations(&json!([]), &[("", ViolationKind::WrongType)]);
    }

    #[test]
    fn a_violation_names_the_expected_and_the_found_value() {
        let mut order = order();
        order["lines"] = json!("none");
        let all = schema_violations(&Contract::of::<OrderPlacedV1>().schema, &order);
        let [violation] = &all[..] else { panic!("{all:?}") };
        assert_eq!(
            (violation.expected.as_str(), violation.found.as_deref()),
            ("array", Some("\"none\""))
        );
    }

    #[test]
    fn maps_accept_any_name_and_enums_only_their_values() {
        let product = json!({"product_id": ID, "brand": null, "attributes": {"size": {"any": [1]}},
            "status": "active", "options": {"颜色": "红"}});
        assert_eq!(violations::<ProductChangedV1>(&product), []);
        let mut other = product;
        other["status"] = json!("lost");
        assert_eq!(
            violations::<ProductChangedV1>(&other),
            [("status".to_owned(), ViolationKind::WrongValue)]
        );
    }
}
