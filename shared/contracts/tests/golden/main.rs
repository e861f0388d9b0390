//! Golden bytes: every released version of every event is decoded, and encoded to the same bytes. The schema and the type of an
//! event accept and reject the same values.
//!
//! A released file in `golden/` never changes. A new version of an event gets a new file, written by
//! `GOLDEN=write cargo test -p contracts --test golden`, which leaves existing files alone.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod json_schema;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use chrono::{DateTime, Utc};
use contracts::{
    behavior::{ErasureCompletedV1, PopularityChangedV1, USER_EVENT, UserEventV1},
    catalog::{
        ProductChangedV1, ProductDeletedV1, ProductStatus, RuleAction, RuleChangedV1, RuleProducts,
        RuleRemovedV1, RuleScope, StockCountedV1, Synonym, SynonymsChangedV1, Variant,
    },
    inventory::{
        Shortage, StockAvailabilityChangedV1, StockChangedV1, StockDeductedV1, StockLowV1,
        StockRejectedV1, StockRejection, StockReleasedV1, StockReservedV1,
    },
    order::{
        CancelledPieces, CustomerErasedV1, OrderCancelledV1, OrderConfirmedV1, OrderDeliveredV1,
        OrderExpiredV1, OrderLine, OrderLineCancelledV1, OrderParcelShippedV1,
        OrderPaymentFailedV1, OrderPlacedV1, OrderReason, OrderRejectedV1, OrderReturnReceivedV1,
        OrderShippedV1, ParcelLine,
    },
    receipts::{ProductAppliedV1, ProductFailedV1, ProductVersion},
    schema::{self, Contract},
};
use envelope::{Envelope, Event, Priority, SpecVersion, decode_batch, encode_batch};
use json_schema::{Mutation, is_valid, mutations};
use serde::de::DeserializeOwned;
use serde_json::{Value, json, value::RawValue};
use uuid::Uuid;
use vocabulary::{Currency, Localized, Money, Quantity, Version};

/// An id that is the same in every run.
fn id(number: u128) -> Uuid {
    Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0000 + number)
}

fn time() -> DateTime<Utc> {
    "2026-11-22T08:00:00.123456Z".parse().unwrap()
}

/// Encodes the event, compares the bytes with the golden file, and decodes the file.
fn check<E: Event + PartialEq + std::fmt::Debug>(source: &str, event: &E) {
    let envelope = Envelope {
        specversion: SpecVersion::V1,
        id: id(0xE).into(),
        source: source.to_owned(),
        kind: E::TYPE.to_owned(),
        subject: event.key().into_owned(),
        time: time(),
        sequence: 7,
        aggregate: E::AGGREGATE.to_owned(),
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned()),
        priority: Priority::Normal,
        keyid: None,
        signature: None,
        encryption: None,
        data: RawValue::from_string(serde_json::to_string(event).unwrap()).unwrap(),
    };
    let bytes = encode_batch(&[&envelope]).unwrap();
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden").join(format!("{}.json", E::TYPE));
    if !path.exists() && std::env::var_os("GOLDEN").is_some() {
        fs::write(&path, &bytes).unwrap();
    }
    let golden = fs::read(&path).unwrap();
    assert_eq!(String::from_utf8_lossy(&bytes), String::from_utf8_lossy(&golden), "{}", E::TYPE);
    let decoded = decode_batch(&golden).unwrap().remove(0);
    assert_eq!(decoded.data::<E>().unwrap(), *event);
    let encoded: Value = serde_json::from_slice(&golden).unwrap();
    assert_agreement::<Envelope>(&schema::envelope(), &encoded[0]);
    assert_agreement::<E>(&Contract::of::<E>().schema, &encoded[0]["data"]);
}

/// Asserts that schema and type accept `value`, and agree on its mutations.
fn assert_agreement<T: DeserializeOwned>(schema: &Value, value: &Value) {
    let type_accepts = |value: &Value| serde_json::from_str::<T>(&value.to_string()).is_ok();
    let schema_accepts = |value: &Value| is_valid(schema, schema, value);
    assert!(type_accepts(value) && schema_accepts(value), "{value}");
    let mutators: [Mutation<'_>; 4] = [
        &|object, name| drop(object.remove(name)),
        &|object, name| drop(object.insert(name.to_owned(), Value::Null)),
        &|object, name| drop(object.insert(name.to_owned(), json!([[]]))),
        &|object, _| drop(object.insert("unknown_property".to_owned(), "?".into())),
    ];
    for value in mutators.iter().flat_map(|mutator| mutations(value, mutator)) {
        assert_eq!(schema_accepts(&value), type_accepts(&value), "{value} and {schema}");
    }
    // This test ignores patterns and bounds within a type, so it only checks that the schema accepts what the type accepts.
    for other in [json!("X"), json!(0), json!(1.5)] {
        for value in
            mutations(value, &|object, name| drop(object.insert(name.to_owned(), other.clone())))
        {
            assert!(schema_accepts(&value) || !type_accepts(&value), "{value} and {schema}");
        }
    }
}

#[test]
fn each_event_version_has_golden_bytes() {
    let golden = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden");
    let files = fs::read_dir(golden).unwrap().map(|entry| entry.unwrap().path());
    let released: BTreeSet<String> =
        files.map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    let listed = schema::events().into_iter().map(|contract| contract.kind.name.to_owned());
    assert_eq!(released, listed.chain([USER_EVENT.to_owned()]).collect());
}

/// Personal data stay with their owner.
#[test]
fn no_event_has_a_field_for_personal_data() {
    const PERSONAL: [&str; 8] =
        ["address", "phone", "mail", "name", "city", "street", "recipient", "postal"];
    fn properties(schema: &Value, found: &mut BTreeSet<String>) {
        match schema {
            Value::Object(members) => {
                let named = members.get("properties").and_then(Value::as_object);
                found.extend(named.into_iter().flatten().map(|(name, _)| name.to_lowercase()));
                members.values().for_each(|member| properties(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| properties(item, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut found = BTreeSet::new();
    for contract in schema::events() {
        properties(&contract.schema, &mut found);
    }
    properties(&schema::user_event(), &mut found);
    assert!(found.contains("customer_id"), "{found:?}");
    let personal = |name: &&String| {
        PERSONAL.iter().any(|word| name.split('_').any(|part| part.contains(word)))
            || ["ip", "ip_address"].contains(&name.as_str())
    };
    assert_eq!(found.iter().filter(personal).collect::<Vec<_>>(), Vec::<&String>::new());
}

/// The fields that may hold any text or object, with who writes them. None of them comes from a form of a customer.
const FREE_FIELDS: [(&str, &str); 31] = [
    ("Destination.country", "two letters, checked by the order service"),
    ("Destination.region", "a province or state, without city and street"),
    ("Localized.en", "the shop: titles and categories"),
    ("Localized.zh", "the shop: titles and categories"),
    ("OrderReason.code", "a constant of the order service"),
    ("OrderReason.text", "a sentence of the order service"),
    ("RuleProducts.brand", "the shop"),
    ("RuleProducts.category", "the shop"),
    ("RuleScope.category", "the shop"),
    ("RuleScope.query", "the shop: a query that a rule is for"),
    ("Synonym.two_way", "the shop"),
    ("Variant.barcode", "the shop"),
    ("Variant.options", "the shop: such as colour and size"),
    ("order.parcel_shipped.v1.carrier", "the carrier: its code"),
    (
        "order.parcel_shipped.v1.tracking_number",
        "the carrier: it names a parcel, and only the carrier knows whose",
    ),
    ("order.shipped.v1.carrier", "the carrier: its code"),
    (
        "order.shipped.v1.tracking_number",
        "the carrier: it names a parcel, and only the carrier knows whose",
    ),
    ("product.applied.v1.lane", "a constant of a service"),
    ("product.applied.v1.service", "the name of a service"),
    ("product.changed.v1.attributes", "the shop"),
    ("product.changed.v1.brand", "the shop"),
    ("product.changed.v1.category", "the shop"),
    ("product.changed.v1.images", "the shop: addresses of pictures"),
    ("product.failed.v1.lane", "a constant of a service"),
    ("product.failed.v1.reason", "the reason of a dead letter"),
    ("product.failed.v1.service", "the name of a service"),
    (
        "user_event.v1.properties",
        "the shop's own pages and apps: what they send must be without personal data",
    ),
    ("user_event.v1.session_id", "the shop's own pages: a random id"),
    ("user_event.v1.type", "one of the known types"),
    ("user_event.v1.user_agent", "the visitor's browser, cut to 256 bytes"),
    ("user_event.v1.visitor_id", "the shop's own pages: a random id"),
];

/// Whether a value of this schema, a part of `root`, may be any text or object.
fn is_free(root: &Value, schema: &Value) -> bool {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        return is_free(root, root.pointer(reference.trim_start_matches('#')).unwrap());
    }
    if ["properties", "const", "enum", "format", "pattern"]
        .iter()
        .any(|key| schema.get(key).is_some())
    {
        return false;
    }
    let any_of = ["anyOf", "oneOf"].iter().find_map(|key| schema.get(key)?.as_array());
    if let Some(schemas) = any_of {
        return schemas.iter().any(|schema| is_free(root, schema));
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
            return schema.as_bool().unwrap_or(true);
        }
    };
    let of_items = |key: &str| schema.get(key).is_none_or(|items| is_free(root, items));
    types.contains(&"string")
        || (types.contains(&"array") && of_items("items"))
        || (types.contains(&"object") && of_items("additionalProperties"))
}

/// The free fields of an event: of itself, and of the types that it uses.
fn free_fields(event: &str, root: &Value) -> BTreeSet<String> {
    let own_types = root["$defs"].as_object().into_iter().flatten();
    let types = own_types.map(|(name, schema)| (name.as_str(), schema)).chain([(event, root)]);
    let mut found = BTreeSet::new();
    for (name, schema) in types {
        let variants = ["oneOf", "anyOf"].iter().filter_map(|key| schema.get(key)?.as_array());
        for variant in variants.flatten().chain([schema]) {
            for (field, schema) in variant["properties"].as_object().into_iter().flatten() {
                if is_free(root, schema) {
                    found.insert(format!("{name}.{field}"));
                }
            }
        }
    }
    found
}

/// A new field with any text fails here, until a review has found who writes it.
#[test]
fn each_field_with_free_text_was_reviewed() {
    let mut found = free_fields("user_event.v1", &schema::user_event());
    for contract in schema::events() {
        found.extend(free_fields(contract.kind.name, &contract.schema));
    }
    let reviewed = FREE_FIELDS.iter().map(|(field, _)| (*field).to_owned()).collect();
    assert_eq!(found, reviewed);
}

#[test]
fn catalogue_events_match_their_golden_bytes() {
    check(
        "product-catalog",
        &ProductChangedV1 {
            product_id: id(1).into(),
            version: Version::try_from(3).unwrap(),
            change_id: id(2).into(),
            title: Localized {
                zh: Some("机械键盘".into()),
                en: Some("Mechanical keyboard".into()),
            },
            description: Localized { zh: Some("手感好".into()), en: None },
            brand: Some("极光".into()),
            category: "数码/电脑外设/机械键盘".into(),
            attributes: BTreeMap::from([
                ("轴体".to_owned(), json!("红轴")),
                ("键数".to_owned(), json!(87)),
                ("无线".to_owned(), json!(true)),
            ]),
            images: vec!["https://example.org/kb.jpg".into()],
            status: ProductStatus::Active,
            variants: vec![Variant {
                sku: "KB-F87-RED".parse().unwrap(),
                options: BTreeMap::from([("颜色".to_owned(), "红".to_owned())]),
                price: Money::new(32_900, Currency::CNY).unwrap(),
                barcode: Some("6900000000015".into()),
                compare_at_price: None,
            }],
            created_at: time(),
            updated_at: time(),
        },
    );
    check(
        "product-catalog",
        &ProductDeletedV1 {
            product_id: id(1).into(),
            version: Version::try_from(4).unwrap(),
            change_id: id(2).into(),
            deleted_at: time(),
        },
    );
    check(
        "product-catalog",
        &StockCountedV1 {
            sku: "KB-F87-RED".parse().unwrap(),
            quantity: 12,
            import_id: id(6).into(),
            counted_at: time(),
        },
    );
}

#[test]
fn search_settings_match_their_golden_bytes() {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    check(
        "product-catalog",
        &SynonymsChangedV1 {
            version: Version::try_from(2).unwrap(),
            synonyms: vec![
                Synonym::TwoWay(words(&["书包", "双肩包"])),
                Synonym::OneWay { from: words(&["phone"]), to: words(&["手机"]) },
            ],
            changed_at: time(),
        },
    );
    check(
        "product-catalog",
        &RuleChangedV1 {
            rule_id: id(1).into(),
            version: Version::FIRST,
            action: RuleAction::Pin { position: 1 },
            scope: RuleScope::Query("手机".into()),
            products: RuleProducts::Ids(vec![id(2).into(), id(3).into()]),
            starts_at: Some(time()),
            ends_at: Some(time()),
            changed_at: time(),
        },
    );
    check(
        "product-catalog",
        &RuleRemovedV1 {
            rule_id: id(1).into(),
            version: Version::try_from(2).unwrap(),
            removed_at: time(),
        },
    );
}

#[test]
fn order_events_match_their_golden_bytes() {
    let order_id = id(1).into();
    let lines = vec![OrderLine {
        sku: "KB-F87-RED".parse().unwrap(),
        product_id: Some(id(2).into()),
        quantity: Quantity::new(2).unwrap(),
    }];
    let reason = OrderReason {
        code: "insufficient_stock".into(),
        text: "There is not enough of it.".into(),
    };
    let customer_id = id(3).into();
    check(
        "order",
        &OrderPlacedV1 {
            order_id,
            customer_id,
            lines: lines.clone(),
            destination: None,
            placed_at: time(),
        },
    );
    check(
        "order",
        &OrderConfirmedV1 {
            order_id,
            customer_id,
            lines,
            total: Money::new(65_800, Currency::CNY).unwrap(),
            payment_id: id(4).into(),
            parcels: None,
            confirmed_at: time(),
        },
    );
    check(
        "order",
        &OrderParcelShippedV1 {
            order_id,
            parcel_id: id(21).into(),
            warehouse_id: id(22).into(),
            lines: vec![ParcelLine {
                sku: "KB-F87-RED".parse().unwrap(),
                quantity: Quantity::new(2).unwrap(),
            }],
            shipment_id: id(23).into(),
            carrier: "SF".into(),
            tracking_number: "SF1234567890".into(),
            shipped_at: time(),
        },
    );
    check(
        "order",
        &OrderShippedV1 {
            order_id,
            shipment_id: id(5).into(),
            carrier: "built-in".into(),
            tracking_number: "T1".into(),
            shipped_at: time(),
        },
    );
    check("order", &OrderDeliveredV1 { order_id, delivered_at: time() });
    check("order", &OrderRejectedV1 { order_id, reason: reason.clone(), rejected_at: time() });
    check("order", &OrderPaymentFailedV1 { order_id, reason: reason.clone(), failed_at: time() });
    check("order", &OrderExpiredV1 { order_id, expired_at: time() });
    check("order", &OrderCancelledV1 { order_id, reason, cancelled_at: time() });
    check("order", &CustomerErasedV1 { customer_id: id(2).into(), erased_at: time() });
}

#[test]
fn events_of_pieces_match_their_golden_bytes() {
    let order_id = id(1).into();
    let pieces = |quantity| {
        let quantity = Quantity::new(quantity).unwrap();
        vec![ParcelLine { sku: "KB-F87-RED".parse().unwrap(), quantity }]
    };
    check(
        "order",
        &OrderReturnReceivedV1 {
            order_id,
            return_id: id(24).into(),
            warehouse_id: Some(id(22).into()),
            restocked: pieces(1),
            written_off: pieces(2),
            received_at: time(),
        },
    );
    check(
        "order",
        &OrderLineCancelledV1 {
            order_id,
            cancellation_id: id(25).into(),
            sku: "KB-F87-RED".parse().unwrap(),
            pieces: vec![CancelledPieces {
                warehouse_id: Some(id(22).into()),
                quantity: Quantity::new(1).unwrap(),
            }],
            cancelled_at: time(),
        },
    );
}

#[test]
fn inventory_events_match_their_golden_bytes() {
    let order_id = id(1).into();
    check(
        "inventory",
        &StockReservedV1 { order_id, reserved_at: time(), left: None, allocations: None },
    );
    check(
        "inventory",
        &StockRejectedV1 {
            order_id,
            reason: StockRejection::InsufficientStock,
            shortages: vec![Shortage {
                sku: "KB-F87-RED".parse().unwrap(),
                requested: 2,
                available: 1,
            }],
            rejected_at: time(),
        },
    );
    check("inventory", &StockReleasedV1 { order_id, released_at: time() });
    check("inventory", &StockDeductedV1 { order_id, deducted_at: time() });
    check(
        "inventory",
        &StockChangedV1 {
            sku: "KB-F87-RED".parse().unwrap(),
            version: Version::try_from(9).unwrap(),
            on_hand: 10,
            reserved: 3,
            available: 7,
            changed_at: time(),
        },
    );
    check(
        "inventory",
        &StockLowV1 {
            sku: "KB-F87-RED".parse().unwrap(),
            version: Version::try_from(9).unwrap(),
            available: 4,
            threshold: 5,
            changed_at: time(),
        },
    );
    check(
        "inventory",
        &StockAvailabilityChangedV1 {
            sku: "KB-F87-RED".parse().unwrap(),
            version: Version::try_from(10).unwrap(),
            in_stock: false,
            changed_at: time(),
        },
    );
}

#[test]
fn receipts_and_analysis_match_their_golden_bytes() {
    let completed = ErasureCompletedV1 { customer_id: id(2).into(), completed_at: time() };
    check("behavior-analytics", &completed);
    let version =
        ProductVersion { product_id: id(1).into(), version: Version::try_from(3).unwrap() };
    check(
        "search-sync",
        &ProductAppliedV1 {
            service: "search-sync".into(),
            receipt_key: "0".into(),
            applied: vec![version],
            applied_at: time(),
        },
    );
    check(
        "search-sync",
        &ProductFailedV1 {
            service: "search-sync".into(),
            receipt_key: "0".into(),
            failed: version,
            reason: "undecodable".into(),
            failed_at: time(),
        },
    );
    check(
        "behavior-analytics",
        &PopularityChangedV1 {
            product_id: id(1).into(),
            version: Version::try_from(2).unwrap(),
            score: 12.5,
            changed_at: time(),
        },
    );
}

#[test]
fn user_events_match_their_golden_bytes() {
    let event = UserEventV1 {
        event_id: id(0xA),
        kind: "product_viewed".to_owned(),
        visitor_id: "visitor".to_owned(),
        session_id: "session".to_owned(),
        product_id: Some(id(1).into()),
        occurred_at: time(),
        received_at: time(),
        properties: Some(RawValue::from_string(r#"{"页":1}"#.to_owned()).unwrap()),
        signed: false,
        consent: true,
        user_agent: None,
        visitor_place: None,
        clock_offset_ms: None,
    };
    let bytes = serde_json::to_vec(&[event]).unwrap();
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/user_event.v1.json");
    if !path.exists() && std::env::var_os("GOLDEN").is_some() {
        fs::write(&path, &bytes).unwrap();
    }
    let golden = fs::read(&path).unwrap();
    assert_eq!(String::from_utf8(bytes).unwrap(), String::from_utf8(golden.clone()).unwrap());
    let decoded: Vec<UserEventV1> = serde_json::from_slice(&golden).unwrap();
    assert_eq!(serde_json::to_vec(&decoded).unwrap(), golden);
    let encoded: Value = serde_json::from_slice(&golden).unwrap();
    assert_agreement::<UserEventV1>(&schema::user_event(), &encoded[0]);
}
