//! One test for each way to break a contract, and one for each change that breaks nothing.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Change, between, breakages};

/// A schema as the types make them, with something of everything.
fn order() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "order.placed.v1",
        "description": "An order was taken.",
        "type": "object",
        "properties": {
            "order_id": {"$ref": "#/$defs/OrderId", "description": "Which."},
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

/// What breaks if the value at `pointer` becomes another; what is not there yet is added.
fn changed(pointer: &str, value: Value) -> Vec<(String, Change)> {
    changed_from(&order(), pointer, value)
}

fn changed_from(was: &Value, pointer: &str, value: Value) -> Vec<(String, Change)> {
    let mut is = was.clone();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    is.pointer_mut(parent).unwrap().as_object_mut().unwrap().insert(name.to_owned(), value);
    found(was, &is)
}

/// What breaks if the value at `pointer` is removed.
fn removed(pointer: &str) -> Vec<(String, Change)> {
    let (was, mut is) = (order(), order());
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    is.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name).unwrap();
    found(&was, &is)
}

fn found(was: &Value, is: &Value) -> Vec<(String, Change)> {
    breakages(was, is).into_iter().map(|breakage| (breakage.place, breakage.change)).collect()
}

fn one(place: &str, change: Change) -> Vec<(String, Change)> {
    vec![(place.to_owned(), change)]
}

fn keyword(place: &str, keyword: &str, was: Value, is: Value) -> Vec<(String, Change)> {
    one(place, Change::Keyword { keyword: keyword.to_owned(), was, is })
}

fn contracts<const N: usize>(contracts: [(&str, Value); N]) -> BTreeMap<String, Value> {
    contracts.map(|(name, schema)| (name.to_owned(), schema)).into()
}

#[test]
fn what_did_not_change_breaks_nothing() {
    assert_eq!(found(&order(), &order()), []);
}

// What breaks.

#[test]
fn a_removed_version_breaks() {
    let was = contracts([("order.placed.v1", order()), ("order.shipped.v1", order())]);
    let is = contracts([("order.placed.v1", order()), ("order.shipped.v2", order())]);
    let found = between(&was, &is);
    assert_eq!(
        found.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["order.shipped.v1: is gone; what was said before could not be read any more"]
    );
}

#[test]
fn a_breakage_says_in_which_contract_it_is() {
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
            r#"order.placed.v1, lines[].sku: `type` was ["string"] and is ["integer"]"#,
            r#"order.placed.v1: `x-aggregate` was "order" and is "basket""#,
        ]
    );
}

#[test]
fn a_removed_property_breaks() {
    assert_eq!(removed("/properties/note"), one("note", Change::PropertyGone));
    assert_eq!(removed("/$defs/Line/properties/gift"), one("lines[].gift", Change::PropertyGone));
}

#[test]
fn a_changed_type_breaks() {
    let was = json!(["integer"]);
    let is = keyword("count", "type", was.clone(), json!(["number"]));
    assert_eq!(changed("/properties/count/type", json!("number")), is);
    let is = keyword("count", "type", was, Value::Null);
    assert_eq!(changed("/properties/count", json!(true)), is);
}

#[test]
fn a_value_that_may_suddenly_be_null_or_no_longer_breaks() {
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
fn another_default_breaks() {
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
fn a_new_property_that_must_be_there_breaks() {
    let mut is = order();
    is["properties"]["colour"] = json!({"type": "string"});
    is["required"].as_array_mut().unwrap().push(json!("colour"));
    assert_eq!(found(&order(), &is), one("colour", Change::NewAndRequired));
}

#[test]
fn a_new_property_breaks_where_unknown_ones_are_refused() {
    let colour = json!({"type": "string"});
    assert_eq!(
        changed("/$defs/Line/properties/colour", colour.clone()),
        one("lines[].colour", Change::NewWhereClosed)
    );
    assert_eq!(
        changed("/properties/labels/properties", json!({"colour": colour})),
        one("labels.colour", Change::NewWhereClosed)
    );
}

#[test]
fn refusing_unknown_properties_breaks() {
    assert_eq!(changed("/additionalProperties", json!(false)), one("", Change::Closed));
    assert_eq!(
        changed("/properties/labels/additionalProperties", json!(false)),
        one("labels", Change::Closed)
    );
}

#[test]
fn other_values_of_a_map_break() {
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
    assert_eq!(changed("/$defs/Status", open), one("status", Change::ValueGone(json!("shut"))));
}

#[test]
fn a_new_value_breaks_unless_the_list_was_open() {
    let more = json!({"type": "string", "enum": ["open", "shut", "ajar"]});
    assert_eq!(changed("/$defs/Status", more), one("status", Change::ValueNew(json!("ajar"))));
    // Marked in the same breath: those who were built before were not told.
    let more = json!({"type": "string", "enum": ["open", "shut", "ajar"], "x-open": true});
    assert_eq!(changed("/$defs/Status", more), one("status", Change::ValueNew(json!("ajar"))));
}

#[test]
fn a_list_of_values_where_there_was_none_breaks() {
    assert_eq!(
        changed("/$defs/Line/properties/sku/enum", json!(["a"])),
        keyword("lines[].sku", "enum", Value::Null, json!(["a"]))
    );
}

#[test]
fn closing_an_open_list_breaks() {
    let (mut was, is) = (order(), order());
    was["$defs"]["Status"]["x-open"] = json!(true);
    assert_eq!(found(&was, &is), one("status", Change::NoLongerOpen));
}

#[test]
fn other_items_break() {
    assert_eq!(
        changed("/properties/lines/items", json!({"type": "string"})),
        keyword("lines[]", "type", json!(["object"]), json!(["string"]))
    );
    let items = keyword("lines", "items", json!({"type": ["string"]}), Value::Null);
    let mut was = order();
    was["properties"]["lines"]["items"] = json!({"type": "string"});
    assert_eq!(changed_from(&was, "/properties/lines/items", json!(true)), items);
}

#[test]
fn alternatives_that_come_go_or_change_break() {
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
            .map(|(place, change)| {
                assert!(place.starts_with("payment"), "{place}");
                change
            })
            .collect()
    };
    assert!(matches!(*changes(json!([card, cash, coin])), [Change::AlternativeNew(_)]));
    assert!(!changes(json!([card])).is_empty());
    assert_eq!(changes(json!([cash, coin])), [Change::PropertyGone, Change::NewAndRequired]);
}

#[test]
fn properties_that_are_required_by_name_alone_break() {
    let mut is = order();
    is["required"].as_array_mut().unwrap().push(json!("colour"));
    assert_eq!(found(&order(), &is), one("colour", Change::BecameRequired));
    assert_eq!(found(&is, &order()), one("colour", Change::BecameOptional));
}

#[test]
fn a_keyword_that_nobody_knows_breaks() {
    assert_eq!(
        changed("/properties/lines/uniqueItems", json!(true)),
        keyword("lines", "uniqueItems", Value::Null, json!(true))
    );
}

// What breaks nothing.

#[test]
fn a_new_contract_is_harmless() {
    let was = contracts([("order.placed.v1", order())]);
    let is = contracts([("order.placed.v1", order()), ("order.placed.v2", json!({}))]);
    assert_eq!(between(&was, &is), []);
}

#[test]
fn a_new_property_that_may_be_absent_is_harmless() {
    assert_eq!(changed("/properties/colour", json!({"type": ["string", "null"]})), []);
}

#[test]
fn other_words_are_harmless() {
    let mut is = order();
    is["title"] = json!("another");
    is["description"] = json!("Said otherwise.");
    is["properties"]["note"]["description"] = json!("New.");
    is["properties"]["note"]["default"] = Value::Null;
    assert_eq!(found(&order(), &is), []);
}

#[test]
fn another_way_to_write_the_same_is_harmless() {
    let mut is = order();
    is["$defs"]["State"] = json!({"enum": ["shut", "open"]});
    is["properties"]["status"] = json!({"$ref": "#/$defs/State"});
    is["properties"]["order_id"] = json!({"type": "string", "format": "uuid"});
    is["properties"]["note"] = json!({"anyOf": [{"type": "string"}, {"type": "null"}]});
    is["required"] = json!(["lines", "status", "count", "order_id"]);
    is["additionalProperties"] = json!(true);
    assert_eq!(found(&order(), &is), []);
}

#[test]
fn a_new_value_of_an_open_list_is_harmless() {
    let (mut was, mut is) = (order(), order());
    was["$defs"]["Status"] = json!({"enum": ["open", "shut"], "x-open": true});
    is["$defs"]["Status"] = json!({"enum": ["open", "shut", "ajar"], "x-open": true});
    assert_eq!(found(&was, &is), []);
}

#[test]
fn a_new_alternative_of_an_open_list_is_harmless() {
    let (mut was, mut is) = (order(), order());
    was["properties"]["payment"]["x-open"] = json!(true);
    is["properties"]["payment"]["x-open"] = json!(true);
    is["properties"]["payment"]["oneOf"].as_array_mut().unwrap().push(json!({"type": "string"}));
    assert_eq!(found(&was, &is), []);
}

#[test]
fn marking_a_list_as_open_is_harmless() {
    assert_eq!(changed("/$defs/Status/x-open", json!(true)), []);
}

#[test]
fn no_longer_refusing_unknown_properties_is_harmless() {
    assert_eq!(changed("/$defs/Line/additionalProperties", json!(true)), []);
    assert_eq!(removed("/$defs/Line/additionalProperties"), []);
}

#[test]
fn a_property_that_may_be_absent_is_harmless_in_an_alternative_too() {
    let mut is = order();
    is["properties"]["payment"]["oneOf"][0]["properties"]["bank"] = json!({"type": "string"});
    assert_eq!(found(&order(), &is), []);
}
