//! `docs/contracts` says what the types say, and the types break nobody who relies on what it says.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use contracts::{
    behavior::USER_EVENT,
    compatibility::{self, Breakage},
    schema,
};
use serde_json::Value;

use crate::{asyncapi, root, topologies};

/// What to do about a breaking change.
const REMEDY: &str = "Leave the version that has shipped as it is, and declare the next one beside it: a struct and a type \
    with the next number, listed in `contracts::schema::events`, with golden bytes of its own. shared/contracts/README.md, \
    \"How an event changes\", says how consumers and producers get there.";

/// Every contract's schema, under its name and version.
fn schemas() -> BTreeMap<String, Value> {
    let events = schema::events().into_iter();
    let events = events.map(|event| (event.kind.name.to_owned(), event.schema));
    let others = [(schema::ENVELOPE, schema::envelope()), (USER_EVENT, schema::user_event())];
    events.chain(others.map(|(name, schema)| (name.to_owned(), schema))).collect()
}

/// The schemas that are written down in `folder`.
fn written(folder: &Path) -> BTreeMap<String, Value> {
    let Ok(entries) = fs::read_dir(folder) else { return BTreeMap::new() };
    let read = |path: PathBuf| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let schema = serde_json::from_slice(&fs::read(&path).unwrap());
        (name, schema.unwrap_or_else(|error| unreadable(&path, &error)))
    };
    entries.map(|entry| read(entry.unwrap().path())).collect()
}

#[expect(clippy::panic, reason = "a test that cannot go on fails")]
fn unreadable(path: &Path, error: &serde_json::Error) -> Value {
    panic!("{} is no JSON: {error}", path.display())
}

/// What to say about breaking changes: each of them, then what to do.
fn complaint(breakages: &[Breakage]) -> String {
    let list: Vec<_> = breakages.iter().map(|breakage| format!("  - {breakage}\n")).collect();
    format!(
        "what the types say now breaks what docs/contracts promises:\n{}{REMEDY}",
        list.concat()
    )
}

/// The text of a generated document: keys sorted, whatever the build makes of maps.
fn text(document: &Value) -> String {
    fn sorted(value: &Value) -> Value {
        match value {
            Value::Object(map) => {
                let map: BTreeMap<_, _> =
                    map.iter().map(|(key, value)| (key.clone(), sorted(value))).collect();
                Value::Object(map.into_iter().collect())
            }
            Value::Array(items) => items.iter().map(sorted).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
        }
    }
    format!("{:#}\n", sorted(document))
}

#[test]
fn the_contracts_are_written_down() {
    let (folder, schemas) = (root().join("docs/contracts"), schemas());
    let breakages = compatibility::between(&written(&folder.join("schemas")), &schemas);
    assert!(breakages.is_empty(), "{}", complaint(&breakages));
    let asyncapi = asyncapi::document(&topologies(), &schema::events());
    let mut documents = BTreeMap::from([(folder.join("asyncapi.json"), text(&asyncapi))]);
    for (name, schema) in &schemas {
        documents.insert(folder.join("schemas").join(format!("{name}.json")), text(schema));
    }
    for (path, document) in documents {
        if std::env::var_os("CONTRACTS").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &document).unwrap();
        }
        let written = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written == document,
            "{} is not what the types say; run `cargo xtask contracts`",
            path.display()
        );
    }
}

#[test]
fn each_event_said_has_a_contract() {
    let contracts: BTreeSet<_> = schema::events().into_iter().map(|event| event.kind).collect();
    assert_eq!(contracts.len(), schema::events().len(), "an event is listed twice");
    for topology in &topologies() {
        for kind in topology.said() {
            assert!(
                contracts.contains(kind),
                "{} says {}, which `contracts::schema::events` does not list",
                topology.service(),
                kind.name
            );
        }
    }
}

#[test]
fn a_breaking_change_is_told_with_what_to_do() {
    let mut changed = schemas();
    let placed = changed.get_mut("order.placed.v1").unwrap();
    placed["properties"].as_object_mut().unwrap().remove("placed_at");
    changed.remove("order.shipped.v1");
    let told = complaint(&compatibility::between(&schemas(), &changed));
    for part in [
        "- order.placed.v1, placed_at: the property was removed",
        "- order.shipped.v1: was removed",
        "declare the next one beside it",
    ] {
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn each_reference_of_the_asyncapi_document_leads_somewhere() {
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                if let Some(Value::String(reference)) = map.get("$ref") {
                    found.push(reference.clone());
                }
                map.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let document = asyncapi::document(&topologies(), &schema::events());
    let (mut found, schemas) = (Vec::new(), schemas());
    references(&document, &mut found);
    assert!(!found.is_empty());
    for reference in found {
        let leads = if let Some(pointer) = reference.strip_prefix('#') {
            document.pointer(pointer).is_some()
        } else {
            let file =
                reference.strip_prefix("./schemas/").and_then(|file| file.strip_suffix(".json"));
            file.is_some_and(|name| schemas.contains_key(name))
        };
        assert!(leads, "{reference}");
    }
}

#[test]
fn the_asyncapi_document_knows_who_says_and_hears_an_event() {
    let document = asyncapi::document(&topologies(), &schema::events());
    let operation = |name: &str| document["operations"][name].clone();
    let (says, hears) = (operation("order.says.order"), operation("inventory.hears.order.order"));
    assert_eq!((&says["action"], &hears["action"]), (&"send".into(), &"receive".into()));
    assert_eq!(says["channel"], hears["channel"]);
    let handled = hears["messages"].as_array().unwrap();
    let said = says["messages"].as_array().unwrap();
    assert!(said.len() > handled.len() && handled.iter().all(|message| said.contains(message)));
    let channel = &document["channels"]["order.order"];
    assert_eq!(channel["address"], "order.{slot}");
    assert_eq!(channel["bindings"]["amqp"]["exchange"]["name"], "order");
}
