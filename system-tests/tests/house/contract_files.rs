//! `docs/contracts` matches the types, and no type breaks a committed schema. The definitions of the broker match the topologies.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use contracts::{behavior::USER_EVENT, schema};
use envelope::schema::compatibility::{self, Breakage};
use messaging::{Topology, declarations::Declarations, definitions::definitions};
use serde_json::Value;

use crate::{asyncapi, sources::root, topologies};

/// How to make a breaking change.
const REMEDY: &str = "Keep the released version unchanged and add the next version beside it: a struct and a type with the next \
    number, listed in `contracts::schema::events`, with its own golden bytes. shared/contracts/README.md, \"How an event \
    changes\", describes the release of consumers and producers.";

/// The schema of every contract, by name and version.
fn schemas() -> BTreeMap<String, Value> {
    let events = schema::events().into_iter();
    let events = events.map(|event| (event.kind.name.to_owned(), event.schema));
    let others = [(schema::ENVELOPE, schema::envelope()), (USER_EVENT, schema::user_event())];
    events.chain(others.map(|(name, schema)| (name.to_owned(), schema))).collect()
}

/// The schemas committed in `folder`.
fn committed(folder: &Path) -> BTreeMap<String, Value> {
    let Ok(entries) = fs::read_dir(folder) else { return BTreeMap::new() };
    let read = |path: PathBuf| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let schema = serde_json::from_slice(&fs::read(&path).unwrap());
        (name, schema.unwrap_or_else(|error| invalid_json(&path, &error)))
    };
    entries.map(|entry| read(entry.unwrap().path())).collect()
}

#[expect(clippy::panic, reason = "a test may panic")]
fn invalid_json(path: &Path, error: &serde_json::Error) -> Value {
    panic!("{} is not JSON: {error}", path.display())
}

/// The message about breaking changes: each change, then the remedy.
fn report(breakages: &[Breakage]) -> String {
    let list: Vec<_> = breakages.iter().map(|breakage| format!("  - {breakage}\n")).collect();
    format!("the types break the contracts in docs/contracts:\n{}{REMEDY}", list.concat())
}

/// The text of a generated document, with sorted keys in every build.
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
fn contracts_are_up_to_date() {
    let (folder, schemas) = (root().join("docs/contracts"), schemas());
    let breakages = compatibility::between(&committed(&folder.join("schemas")), &schemas);
    assert!(breakages.is_empty(), "{}", report(&breakages));
    let asyncapi = asyncapi::document(&topologies(), &schema::events());
    let mut documents = BTreeMap::from([(folder.join("asyncapi.json"), text(&asyncapi))]);
    for (name, schema) in &schemas {
        documents.insert(folder.join("schemas").join(format!("{name}.json")), text(schema));
    }
    let declared: Vec<Declarations> = topologies().iter().map(Topology::declarations).collect();
    let definitions = definitions(&declared, &["console"], "/");
    documents.insert(root().join("deploy/rabbitmq/definitions.json"), text(&definitions));
    for (path, document) in documents {
        if std::env::var_os("CONTRACTS").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &document).unwrap();
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == document,
            "{} does not match the types; run `cargo xtask contracts`",
            path.display()
        );
    }
}

#[test]
fn each_published_event_has_a_contract() {
    let contracts: BTreeSet<_> = schema::events().into_iter().map(|event| event.kind).collect();
    assert_eq!(contracts.len(), schema::events().len(), "an event is listed twice");
    for topology in &topologies() {
        for kind in topology.published() {
            assert!(
                contracts.contains(kind),
                "{} publishes {}, which `contracts::schema::events` does not list",
                topology.service(),
                kind.name
            );
        }
    }
}

#[test]
fn a_breaking_change_is_reported_with_its_remedy() {
    let mut changed = schemas();
    let placed = changed.get_mut("order.placed.v1").unwrap();
    placed["properties"].as_object_mut().unwrap().remove("placed_at");
    changed.remove("order.shipped.v1");
    let message = report(&compatibility::between(&schemas(), &changed));
    for part in [
        "- order.placed.v1, placed_at: the property was removed",
        "- order.shipped.v1: was removed",
        "add the next version beside it",
    ] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn each_reference_of_the_asyncapi_document_resolves() {
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
        let resolves = if let Some(pointer) = reference.strip_prefix('#') {
            document.pointer(pointer).is_some()
        } else {
            let file =
                reference.strip_prefix("./schemas/").and_then(|file| file.strip_suffix(".json"));
            file.is_some_and(|name| schemas.contains_key(name))
        };
        assert!(resolves, "{reference}");
    }
}

#[test]
fn the_asyncapi_document_lists_publishers_and_subscribers() {
    let document = asyncapi::document(&topologies(), &schema::events());
    let operation = |name: &str| document["operations"][name].clone();
    let publish = operation("order.publish.order");
    let receive = operation("inventory.receive.order.order");
    assert_eq!((&publish["action"], &receive["action"]), (&"send".into(), &"receive".into()));
    assert_eq!(publish["channel"], receive["channel"]);
    let handled = receive["messages"].as_array().unwrap();
    let published = publish["messages"].as_array().unwrap();
    assert!(
        published.len() > handled.len()
            && handled.iter().all(|message| published.contains(message))
    );
    let channel = &document["channels"]["order.order"];
    assert_eq!(channel["address"], "order.{slot}");
    assert_eq!(channel["bindings"]["amqp"]["exchange"]["name"], "order");
}
