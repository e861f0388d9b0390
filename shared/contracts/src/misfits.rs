//! Where the data of an event does not fit its contract: for people who look at an event that could not be read.
//!
//! What decides whether an event can be read is its Rust type. This says where to look: it knows types, properties, lists, values,
//! bounds, and the formats of ids and times, and of the rest (patterns of texts, say) nothing.

use chrono::DateTime;
use serde::Serialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::compatibility::{ALTERNATIVES, OPEN, nothing, plain};

/// How much of a value is shown.
const SHOWN: usize = 80;

/// One place at which data does not fit a schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Misfit {
    /// Where, such as `lines[2].sku`; empty is the whole.
    pub place: String,
    /// What is wrong there.
    pub what: MisfitKind,
    /// What the schema says.
    pub expected: String,
    /// What stands there, cut short; none if nothing does.
    pub found: Option<String>,
}

/// What is wrong at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MisfitKind {
    /// A property that must be there is not.
    Missing,
    /// The schema does not know the property. Most types read past it.
    Unknown,
    /// It is of another type.
    WrongType,
    /// It is of the right type, and none of the values that are allowed.
    WrongValue,
}

/// All places at which `data` does not fit `schema`, in the order of the schema's properties.
pub fn misfits(schema: &Value, data: &Value) -> Vec<Misfit> {
    let mut found = Found(Vec::new());
    found.compare("", &plain(schema), data);
    found.0
}

/// What has been found so far.
struct Found(Vec<Misfit>);

impl Found {
    fn add(&mut self, place: &str, what: MisfitKind, expected: String, data: Option<&Value>) {
        let found = data.map(|data| data.to_string().chars().take(SHOWN).collect());
        self.0.push(Misfit { place: place.to_owned(), what, expected, found });
    }

    /// Compares data with a schema in its plain form.
    fn compare(&mut self, place: &str, schema: &Map<String, Value>, data: &Value) {
        if let Some(types) = list(schema, "type")
            && !types.iter().any(|wanted| is_of(data, wanted.as_str().unwrap_or_default()))
        {
            return self.add(place, MisfitKind::WrongType, words(types), Some(data));
        }
        if data.is_null() && list(schema, "type").is_some() {
            return;
        }
        self.values(place, schema, data);
        self.alternatives(place, schema, data);
        for all in list(schema, "allOf").into_iter().flatten().filter_map(Value::as_object) {
            self.compare(place, all, data);
        }
        match data {
            Value::Object(object) => self.properties(place, schema, object),
            Value::Array(items) => {
                let Some(schema) = schema.get("items").and_then(Value::as_object) else { return };
                for (index, item) in items.iter().enumerate() {
                    self.compare(&format!("{place}[{index}]"), schema, item);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn properties(&mut self, place: &str, schema: &Map<String, Value>, data: &Map<String, Value>) {
        let named = schema.get("properties").and_then(Value::as_object);
        for (name, schema) in named.into_iter().flatten() {
            if let (Some(schema), Some(data)) = (schema.as_object(), data.get(name)) {
                self.compare(&within(place, name), schema, data);
            }
        }
        let required = list(schema, "required").into_iter().flatten().filter_map(Value::as_str);
        for name in required.filter(|name| !data.contains_key(*name)) {
            let types = named.and_then(|named| named.get(name)?.get("type")?.as_array());
            let expected = types.map_or_else(String::new, |types| words(types));
            self.add(&within(place, name), MisfitKind::Missing, expected, None);
        }
        let others = schema.get("additionalProperties").and_then(Value::as_object);
        for (name, value) in data {
            let is_named = named.is_some_and(|named| named.contains_key(name));
            match others {
                _ if is_named => {}
                Some(others) if *others != json_object(nothing()) => {
                    self.compare(&within(place, name), others, value);
                }
                None if named.is_none() => {}
                _ => {
                    self.add(&within(place, name), MisfitKind::Unknown, String::new(), Some(value));
                }
            }
        }
    }

    fn values(&mut self, place: &str, schema: &Map<String, Value>, data: &Value) {
        let mut wrong = |expected: String| {
            self.add(place, MisfitKind::WrongValue, expected, Some(data));
        };
        let is_open = schema.get(OPEN) == Some(&json!(true));
        if let Some(values) = list(schema, "enum")
            && !values.contains(data)
            && !is_open
        {
            wrong(words(values));
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

    /// Of alternatives that all do not fit, the one that comes nearest tells what is wrong.
    fn alternatives(&mut self, place: &str, schema: &Map<String, Value>, data: &Value) {
        let alternatives = list(schema, ALTERNATIVES).into_iter().flatten();
        let tried = alternatives.filter_map(Value::as_object).map(|schema| {
            let mut found = Self(Vec::new());
            found.compare(place, schema, data);
            found.0
        });
        // What is but not known does no harm, so that an alternative with nothing else fits.
        let harm = |misfits: &Vec<Misfit>| {
            let harmful = misfits.iter().filter(|misfit| misfit.what != MisfitKind::Unknown);
            (harmful.count(), misfits.len())
        };
        self.0.extend(tried.min_by_key(harm).unwrap_or_default());
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

fn within(place: &str, name: &str) -> String {
    if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") }
}

/// Types or values as people read them.
fn words(values: &[Value]) -> String {
    let word = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    values.iter().map(word).collect::<Vec<_>>().join(" | ")
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
    use serde_json::{Value, json};

    use super::{MisfitKind, misfits};
    use crate::{catalog::ProductChangedV1, order::OrderPlacedV1, schema::Contract};

    const ID: &str = "01920000-0000-7000-8000-000000000001";

    fn found<E: crate::Event>(data: &Value) -> Vec<(String, MisfitKind)> {
        let found = misfits(&Contract::of::<E>().schema, data);
        found.into_iter().map(|misfit| (misfit.place, misfit.what)).collect()
    }

    #[track_caller]
    fn order_misfits(data: &Value, expected: &[(&str, MisfitKind)]) {
        let expected: Vec<_> =
            expected.iter().map(|(place, what)| ((*place).to_owned(), *what)).collect();
        assert_eq!(found::<OrderPlacedV1>(data), expected);
    }

    fn order() -> Value {
        json!({"order_id": ID, "customer_id": ID, "placed_at": "2026-11-22T08:00:00Z",
            "lines": [{"sku": "A", "quantity": 1, "product_id": null}]})
    }

    #[test]
    fn what_fits_has_no_misfits() {
        order_misfits(&order(), &[]);
    }

    #[test]
    fn what_is_missing_unknown_or_of_another_type_is_named_with_its_place() {
        let mut order = order();
        order["lines"] = json!([{"sku": 17, "quantity": 0}, {"quantity": 2, "colour": "red"}]);
        order["placed_at"] = json!("yesterday");
        order.as_object_mut().unwrap().remove("customer_id");
        order["order_id"] = json!("x");
        order_misfits(
            &order,
            &[
                ("lines[0].quantity", MisfitKind::WrongValue),
                ("lines[0].sku", MisfitKind::WrongType),
                ("lines[1].sku", MisfitKind::Missing),
                ("lines[1].colour", MisfitKind::Unknown),
                ("order_id", MisfitKind::WrongValue),
                ("placed_at", MisfitKind::WrongValue),
                ("customer_id", MisfitKind::Missing),
            ],
        );
        order_misfits(&json!([]), &[("", MisfitKind::WrongType)]);
    }

    #[test]
    fn a_misfit_says_what_was_expected_and_what_stands_there() {
        let mut order = order();
        order["lines"] = json!("none");
        let all = misfits(&Contract::of::<OrderPlacedV1>().schema, &order);
        let [misfit] = &all[..] else { panic!("{all:?}") };
        assert_eq!(
            (misfit.expected.as_str(), misfit.found.as_deref()),
            ("array", Some("\"none\""))
        );
    }

    #[test]
    fn facts_may_be_named_anything_and_values_are_of_a_list() {
        let product = json!({"product_id": ID, "version": 1, "change_id": ID, "title": {"zh": "键盘"}, "brand": null,
            "category": "数码", "attributes": {"size": {"any": [1]}}, "images": [], "status": "active", "variants":
            [{"sku": "A", "options": {"颜色": "红"}, "price": {"amount": 1, "currency": "CNY"}}],
            "created_at": "2026-11-22T08:00:00Z", "updated_at": "2026-11-22T08:00:00Z"});
        assert_eq!(found::<ProductChangedV1>(&product), []);
        let mut other = product;
        other["status"] = json!("lost");
        assert_eq!(
            found::<ProductChangedV1>(&other),
            [("status".to_owned(), MisfitKind::WrongValue)]
        );
    }
}
