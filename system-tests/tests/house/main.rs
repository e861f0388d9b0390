//! The house rules that a compiler does not know: who may use whom, and that the event graph and the contracts of all events
//! are whole and written down.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod asyncapi;
mod contracts_written;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use messaging::Topology;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// What every service says and hears.
fn topologies() -> Vec<Topology> {
    vec![
        product_catalog::topology(),
        order::topology(),
        inventory::topology(),
        search_sync::topology(),
        behavior_analytics::topology(),
    ]
}

/// The files below a folder that end in `.rs`.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found
}

/// The event graph as it is written down.
fn graph(topologies: &[Topology]) -> String {
    let mut text = "# Event graph\n\nMade from the `topology()` of each service; `cargo xtask event-graph` writes it anew.\n".to_owned();
    let mut heard: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for topology in topologies {
        for subscription in topology.subscriptions() {
            for kind in subscription.handled() {
                heard.entry(kind).or_default().push(topology.service());
            }
        }
    }
    for topology in topologies {
        write!(
            text,
            "\n## {} says\n\n| event | aggregate | handled by |\n|---|---|---|\n",
            topology.service()
        )
        .unwrap();
        for kind in topology.said() {
            let listeners = heard.get(kind.name).map(|names| names.join(", ")).unwrap_or_default();
            writeln!(text, "| `{}` | `{}` | {listeners} |", kind.name, kind.aggregate).unwrap();
        }
    }
    text.push_str("\n## Queues\n\n| service | hears | said by |\n|---|---|---|\n");
    for topology in topologies {
        for subscription in topology.subscriptions() {
            let (aggregate, speakers) =
                (subscription.aggregate(), subscription.speakers().join(", "));
            writeln!(text, "| {} | `{aggregate}` | {speakers} |", topology.service()).unwrap();
        }
    }
    text
}

#[test]
fn the_event_graph_is_written_down() {
    let (path, graph) = (root().join("docs/event-graph.md"), graph(&topologies()));
    if std::env::var_os("EVENT_GRAPH").is_some() {
        fs::write(&path, &graph).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(written, graph, "run `cargo xtask event-graph`");
}

#[test]
fn each_event_heard_is_said_by_those_it_is_heard_from() {
    let topologies = topologies();
    let said: BTreeMap<&str, BTreeSet<&str>> = topologies
        .iter()
        .map(|topology| {
            (topology.service(), topology.said().iter().map(|kind| kind.name).collect())
        })
        .collect();
    for topology in &topologies {
        for subscription in topology.subscriptions() {
            for kind in subscription.handled() {
                for speaker in subscription.speakers() {
                    assert!(
                        said[speaker].contains(kind),
                        "{} hears {kind} of {speaker}",
                        topology.service()
                    );
                }
            }
        }
    }
}

#[test]
fn each_event_has_one_owner_but_receipts() {
    let mut owners: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for topology in &topologies() {
        for kind in
            topology.said().iter().filter(|kind| kind.aggregate != contracts::receipts::RECEIPT)
        {
            owners.entry(kind.name).or_default().push(topology.service());
        }
    }
    for (kind, owners) in owners {
        assert_eq!(owners.len(), 1, "{kind} is said by {owners:?}");
    }
}

#[test]
fn each_event_heard_has_a_file_of_its_own() {
    for topology in &topologies() {
        let folder = root().join("services").join(topology.service()).join("src/consumes");
        let files = sources(&folder);
        // What a service hears of itself comes by a stream, not by a subscription.
        let own = folder.join(topology.service().replace('-', "_"));
        let events =
            files.iter().filter(|path| path.parent() != Some(&folder) && !path.starts_with(&own));
        let events = events.filter(|path| !path.ends_with("mod.rs")).count();
        let handled: usize =
            topology.subscriptions().iter().map(|subscription| subscription.handled().len()).sum();
        assert_eq!(
            events,
            handled,
            "{}: files below consumes/ and events heard",
            topology.service()
        );
    }
}

#[test]
fn services_do_not_know_one_another() {
    let services: Vec<String> = fs::read_dir(root().join("services"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    for service in &services {
        let manifest = root().join("services").join(service).join("Cargo.toml");
        let manifest = fs::read_to_string(manifest).unwrap();
        for other in services.iter().filter(|other| *other != service) {
            let known = manifest.lines().any(|line| {
                line.starts_with(&format!("{other}.")) || line.starts_with(&format!("{other} "))
            });
            assert!(!known, "{service} depends on {other}");
        }
    }
}

#[test]
fn the_domain_is_pure() {
    let foreign = [
        "sqlx::",
        "axum::",
        "messaging::",
        "contracts::",
        "tokio::",
        "reqwest::",
        "async fn",
        "crate::storage",
        "crate::http",
    ];
    for topology in &topologies() {
        let folder = root().join("services").join(topology.service()).join("src/domain");
        for path in sources(&folder) {
            let text = fs::read_to_string(&path).unwrap();
            for (number, line) in text.lines().enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                for foreign in foreign {
                    assert!(
                        !code.contains(foreign),
                        "{}:{}: {foreign}",
                        path.display(),
                        number + 1
                    );
                }
            }
        }
    }
}
