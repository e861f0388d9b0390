//! One test for each breaking change, and one for each compatible change.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Change, between, breakages};

/// A schema as generated from a type, with every supported construct.
fn order() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "order.placed.v1",
        "description": "An order was placed.",
        "type": "object",
        "properties": {
            "order_id": {"$ref": "#/$defs/OrderId", "description": "The order."},
            "note": {"type": ["string", "null"]},
            "count": {"type": "integer", "format": "int64", "minimum": 1},
            "status": {"$ref": "#/$defs/Status"},
            "lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            "payment": {"oneOf": [
                {"type": "object", "properties": {"card": {"type": "string"}}, "required": ["card"]},
                {"type": "object", "properties": {"cash": {"type": "string"}}, "required": ["cash"]},
            ]},
        },
        "required": ["order_id", "count", "status", "lines"],
        "x-aggregate": "order",
        "$defs": {
            "OrderId": {"type": "string", "format": "uuid"},
            "Status": {"oneOf": [
                {"type": "string", "const": "open", "description": "Open."},
                {"type": "string", "const": "shut", "description": "Shut."},
            ]},
            "Line": {
                "type": "object",
                "properties": {"sku": {"type": "string"}, "gift": {"type": "boolean", "default": false}},
                "required": ["sku"],
                "additionalProperties": false,
            },
        },
    })
}

/// The breakages if the value at `pointer` is replaced or added.
fn changed(pointer: &str, value: Value) -> Vec<(String, Change)> {
    changed_from(&order(), pointer, value)
}

fn changed_from(old: &Value, pointer: &str, value: Value) -> Vec<(String, Change)> {
    let mut new = old.clone();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    new.pointer_mut(parent).unwrap().as_object_mut().unwrap().insert(name.to_owned(), value);
    found(old, &new)
}

/// The breakages if the value at `pointer` is removed.
fn removed(pointer: &str) -> Vec<(String, Change)> {
    let (old, mut new) = (order(), order());
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    new.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name).unwrap();
    found(&old, &new)
}

fn found(old: &Value, new: &Value) -> Vec<(String, Change)> {
    breakages(old, new).into_iter().map(|breakage| (breakage.path, breakage.change)).collect()
}

fn one(path: &str, change: Change) -> Vec<(String, Change)> {
    vec![(path.to_owned(), change)]
}

fn keyword(path: &str, keyword: &str, old: Value, new: Value) -> Vec<(String, Change)> {
    one(path, Change::Keyword { keyword: keyword.to_owned(), old, new })
}

fn contracts<const N: usize>(contracts: [(&str, Value); N]) -> BTreeMap<String, Value> {
    contracts.map(|(name, schema)| (name.to_owned(), schema)).into()
}

#[test]
fn an_unchanged_schema_breaks_nothing() {
    assert_eq!(found(&order(), &order()), []);
}

// Breaking changes.

#[test]
fn a_removed_version_breaks() {
    let old = contracts([("order.placed.v1", order()), ("order.shipped.v1", order())]);
    let new = contracts([("order.placed.v1", order()), ("order.shipped.v2", order())]);
    let found = between(&old, &new);
    assert_eq!(
        found.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["order.shipped.v1: was removed; events published before could no longer be read"]
    );
}

#[test]
fn a_breakage_names_its_contract() {
    let mut other = order();
    other["$defs"]["Line"]["properties"]["sku"]["type"] = json!("integer");
    other["x-aggregate"] = json!("basket");
    let found = between(
        &contracts([("order.placed.v1", order())]),
        &contracts([("order.placed.v1", other)]),
    );
    assert_eq!(
        found.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            r#"order.placed.v1, lines[].sku: `type` changed from ["string"] to ["integer"]"#,
            r#"order.placed.v1: `x-aggregate` changed from "order" to "basket""#,
        ]
    );
}

#[test]
fn a_removed_property_breaks() {
    assert_eq!(removed("/properties/note"), one("note", Change::PropertyRemoved));
    assert_eq!(
        removed("/$defs/Line/properties/gift"),
        one("lines[].gift", Change::PropertyRemoved)
    );
}

#[test]
fn a_changed_type_breaks() {
    let old = json!(["integer"]);
    let new = keyword("count", "type", old.clone(), json!(["number"]));
    assert_eq!(changed("/properties/count/type", json!("number")), new);
    let new = keyword("count", "type", old, Value::Null);
    assert_eq!(changed("/properties/count", json!(true)), new);
}

#[test]
fn a_changed_nullability_breaks() {
    let (text, both) = (json!(["string"]), json!(["null", "string"]));
    assert_eq!(
        changed("/properties/note/type", json!("string")),
        keyword("note", "type", both.clone(), text.clone())
    );
    let nullable = json!({"anyOf": [{"$ref": "#/$defs/OrderId"}, {"type": "null"}]});
    assert_eq!(changed("/properties/order_id", nullable), keyword("order_id", "type", text, both));
}

#[test]
fn a_changed_format_breaks() {
    assert_eq!(
        changed("/properties/count/format", json!("int32")),
        keyword("count", "format", json!("int64"), json!("int32"))
    );
    assert_eq!(
        removed("/$defs/OrderId/format"),
        keyword("order_id", "format", json!("uuid"), Value::Null)
    );
}

#[test]
fn a_changed_bound_breaks() {
    assert_eq!(
        changed("/properties/count/minimum", json!(2)),
        keyword("count", "minimum", json!(1), json!(2))
    );
    assert_eq!(
        changed("/$defs/OrderId/pattern", json!("^0")),
        keyword("order_id", "pattern", Value::Null, json!("^0"))
    );
}

#[test]
fn a_changed_default_breaks() {
    assert_eq!(
        changed("/$defs/Line/properties/gift/default", json!(true)),
        keyword("lines[].gift", "default", json!(false), json!(true))
    );
}

#[test]
fn a_property_that_becomes_required_breaks() {
    let required = json!(["order_id", "count", "status", "lines", "note"]);
    assert_eq!(changed("/required", required), one("note", Change::BecameRequired));
}

#[test]
fn a_property_that_becomes_optional_breaks() {
    let required = json!(["order_id", "status", "lines"]);
    assert_eq!(changed("/required", required), one("count", Change::BecameOptional));
}

#[test]
fn a_new_required_property_breaks() {
    let mut new = order();
    new["properties"]["colour"] = json!({"type": "string"});
    new["required"].as_array_mut().unwrap().push(json!("colour"));
    assert_eq!(found(&order(), &new), one("colour", Change::RequiredPropertyAdded));
}

#[test]
fn a_new_property_breaks_where_unknown_ones_are_rejected() {
    let colour = json!({"type": "string"});
    assert_eq!(
        changed("/$defs/Line/properties/colour", colour.clone()),
        one("lines[].colour", Change::PropertyAddedWhereRestricted)
    );
    assert_eq!(
        changed("/properties/labels/properties", json!({"colour": colour})),
        one("labels.colour", Change::PropertyAddedWhereRestricted)
    );
}

#[test]
fn rejecting_unknown_properties_breaks() {
    assert_eq!(changed("/additionalProperties", json!(false)), one("", Change::Closed));
    assert_eq!(
        changed("/properties/labels/additionalProperties", json!(false)),
        one("labels", Change::Closed)
    );
}

#[test]
fn changed_values_of_a_map_break() {
    assert_eq!(
        changed("/properties/labels/additionalProperties/type", json!("integer")),
        keyword("labels{}", "type", json!(["string"]), json!(["integer"]))
    );
    let (text, anything) = (json!({"type": ["string"]}), Value::Null);
    assert_eq!(
        removed("/properties/labels/additionalProperties"),
        keyword("labels", "additionalProperties", text.clone(), anything.clone())
    );
    assert_eq!(
        changed("/additionalProperties", json!({"type": "string"})),
        keyword("", "additionalProperties", anything, text)
    );
}

#[test]
fn a_removed_value_breaks() {
    let open = json!({"oneOf": [{"type": "string", "const": "open"}]});
    assert_eq!(changed("/$defs/Status", open), one("status", Change::ValueRemoved(json!("shut"))));
}

#[test]
fn a_new_value_breaks_unless_the_list_was_open() {
    let more = json!({"type": "string", "enum": ["open", "shut", "ajar"]});
    assert_eq!(changed("/$defs/Status", more), one("status", Change::ValueAdded(json!("ajar"))));
    // Marking it open in the same change does not help: old consumers do not know.
    let more = json!({"type": "string", "enum": ["open", "shut", "ajar"], "x-open": true});
    assert_eq!(changed("/$defs/Status", more), one("status", Change::ValueAdded(json!("ajar"))));
}

#[test]
fn restricting_a_type_to_a_list_of_values_breaks() {
    assert_eq!(
        changed("/$defs/Line/properties/sku/enum", json!(["a"])),
        keyword("lines[].sku", "enum", Value::Null, json!(["a"]))
    );
}

#[test]
fn closing_an_open_list_breaks() {
    let (mut old, new) = (order(), order());
    old["$defs"]["Status"]["x-open"] = json!(true);
    assert_eq!(found(&old, &new), one("status", Change::NoLongerOpen));
}

#[test]
fn changed_items_break() {
    assert_eq!(
        changed("/properties/lines/items", json!({"type": "string"})),
        keyword("lines[]", "type", json!(["object"]), json!(["string"]))
    );
    let items = keyword("lines", "items", json!({"type": ["string"]}), Value::Null);
    let mut old = order();
    old["properties"]["lines"]["items"] = json!({"type": "string"});
    assert_eq!(changed_from(&old, "/properties/lines/items", json!(true)), items);
}

#[test]
fn added_removed_or_changed_alternatives_break() {
    let card =
        json!({"type": "object", "properties": {"card": {"type": "string"}}, "required": ["card"]});
    let cash =
        json!({"type": "object", "properties": {"cash": {"type": "string"}}, "required": ["cash"]});
    let coin =
        json!({"type": "object", "properties": {"coin": {"type": "string"}}, "required": ["coin"]});
    let changes = |alternatives: Value| -> Vec<Change> {
        let found = changed("/properties/payment/oneOf", alternatives);
        found
            .into_iter()
            .map(|(path, change)| {
                assert!(path.starts_with("payment"), "{path}");
                change
            })
            .collect()
    };
    assert!(matches!(*changes(json!([card, cash, coin])), [Change::AlternativeAdded(_)]));
    assert!(!changes(json!([card])).is_empty());
    assert_eq!(
        changes(json!([cash, coin])),
        [Change::PropertyRemoved, Change::RequiredPropertyAdded]
    );
}

#[test]
fn required_properties_without_a_definition_break() {
    let mut new = order();
    new["required"].as_array_mut().unwrap().push(json!("colour"));
    assert_eq!(found(&order(), &new), one("colour", Change::BecameRequired));
    assert_eq!(found(&new, &order()), one("colour", Change::BecameOptional));
}

#[test]
fn an_unknown_keyword_breaks() {
    assert_eq!(
        changed("/properties/lines/uniqueItems", json!(true)),
        keyword("lines", "uniqueItems", Value::Null, json!(true))
    );
}

// Compatible changes.

#[test]
fn a_new_contract_is_compatible() {
    let old = contracts([("order.placed.v1", order())]);
    let new = contracts([("order.placed.v1", order()), ("order.placed.v2", json!({}))]);
    assert_eq!(between(&old, &new), []);
}

#[test]
fn a_new_optional_property_is_compatible() {
    assert_eq!(changed("/properties/colour", json!({"type": ["string", "null"]})), []);
}

#[test]
fn changed_annotations_are_compatible() {
    let mut new = order();
    new["title"] = json!("another");
    new["description"] = json!("In other words.");
    new["properties"]["note"]["description"] = json!("New.");
    new["properties"]["note"]["default"] = Value::Null;
    assert_eq!(found(&order(), &new), []);
}

#[test]
fn another_notation_of_the_same_schema_is_compatible() {
    let mut new = order();
    new["$defs"]["State"] = json!({"enum": ["shut", "open"]});
    new["properties"]["status"] = json!({"$ref": "#/$defs/State"});
    new["properties"]["order_id"] = json!({"type": "string", "format": "uuid"});
    new["properties"]["note"] = json!({"anyOf": [{"type": "string"}, {"type": "null"}]});
    new["required"] = json!(["lines", "status", "count", "order_id"]);
    new["additionalProperties"] = json!(true);
    assert_eq!(found(&order(), &new), []);
}

#[test]
fn a_new_value_of_an_open_list_is_compatible() {
    let (mut old, mut new) = (order(), order());
    old["$defs"]["Status"] = json!({"enum": ["open", "shut"], "x-open": true});
    new["$defs"]["Status"] = json!({"enum": ["open", "shut", "ajar"], "x-open": true});
    assert_eq!(found(&old, &new), []);
}

#[test]
fn a_new_alternative_of_an_open_list_is_compatible() {
    let (mut old, mut new) = (order(), order());
    old["properties"]["payment"]["x-open"] = json!(true);
    new["properties"]["payment"]["x-open"] = json!(true);
    new["properties"]["payment"]["oneOf"].as_array_mut().unwrap().push(json!({"type": "string"}));
    assert_eq!(found(&old, &new), []);
}

#[test]
fn marking_a_list_as_open_is_compatible() {
    assert_eq!(changed("/$defs/Status/x-open", json!(true)), []);
}

#[test]
fn accepting_unknown_properties_is_compatible() {
    assert_eq!(changed("/$defs/Line/additionalProperties", json!(true)), []);
    assert_eq!(removed("/$defs/Line/additionalProperties"), []);
}

#[test]
fn a_new_optional_property_of_an_alternative_is_compatible() {
    let mut new = order();
    new["properties"]["payment"]["oneOf"][0]["properties"]["bank"] = json!({"type": "string"});
    assert_eq!(found(&order(), &new), []);
}
