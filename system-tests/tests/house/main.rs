//! Rules that the compiler cannot check: dependencies between crates, the event graph, and the committed contracts.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod asyncapi;
mod contract_files;
mod documents;
mod error_codes;

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

/// What every service publishes and subscribes to.
fn topologies() -> Vec<Topology> {
    vec![
        product_catalog::topology(),
        order::topology(),
        inventory::topology(),
        search_sync::topology(),
        behavior_analytics::topology(),
    ]
}

/// All Rust files in a directory and its subdirectories.
fn sources(folder: &Path) -> Vec<PathBuf> {
    files_with_extension(folder, "rs")
}

/// All files with the extension in a directory and its subdirectories.
fn files_with_extension(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found
}

/// The text of `docs/event-graph.md`.
fn graph(topologies: &[Topology]) -> String {
    let mut text = "# Event graph\n\nGenerated from the `topology()` of each service by `cargo xtask event-graph`.\n".to_owned();
    let mut consumers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for topology in topologies {
        for subscription in topology.subscriptions() {
            for kind in subscription.handled() {
                consumers.entry(kind).or_default().push(topology.service());
            }
        }
    }
    for topology in topologies {
        write!(
            text,
            "\n## {} publishes\n\n| event | aggregate | handled by |\n|---|---|---|\n",
            topology.service()
        )
        .unwrap();
        for kind in topology.published() {
            let handled_by =
                consumers.get(kind.name).map(|names| names.join(", ")).unwrap_or_default();
            writeln!(text, "| `{}` | `{}` | {handled_by} |", kind.name, kind.aggregate).unwrap();
        }
    }
    text.push_str("\n## Queues\n\n| service | subscribes to | published by |\n|---|---|---|\n");
    for topology in topologies {
        for subscription in topology.subscriptions() {
            let (aggregate, publishers) =
                (subscription.aggregate(), subscription.publishers().join(", "));
            writeln!(text, "| {} | `{aggregate}` | {publishers} |", topology.service()).unwrap();
        }
    }
    text
}

#[test]
fn event_graph_is_up_to_date() {
    let (path, graph) = (root().join("docs/event-graph.md"), graph(&topologies()));
    if std::env::var_os("EVENT_GRAPH").is_some() {
        fs::write(&path, &graph).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(committed, graph, "run `cargo xtask event-graph`");
}

#[test]
fn each_subscribed_event_is_published() {
    let topologies = topologies();
    let published: BTreeMap<&str, BTreeSet<&str>> = topologies
        .iter()
        .map(|topology| {
            (topology.service(), topology.published().iter().map(|kind| kind.name).collect())
        })
        .collect();
    for topology in &topologies {
        for subscription in topology.subscriptions() {
            for kind in subscription.handled() {
                for publisher in subscription.publishers() {
                    assert!(
                        published[publisher].contains(kind),
                        "{} subscribes to {kind} of {publisher}",
                        topology.service()
                    );
                }
            }
        }
    }
}

#[test]
fn each_event_except_receipts_has_one_owner() {
    let mut owners: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for topology in &topologies() {
        for kind in topology
            .published()
            .iter()
            .filter(|kind| kind.aggregate != contracts::receipts::RECEIPT)
        {
            owners.entry(kind.name).or_default().push(topology.service());
        }
    }
    for (kind, owners) in owners {
        assert_eq!(owners.len(), 1, "{kind} is published by {owners:?}");
    }
}

#[test]
fn each_handled_event_has_its_own_file() {
    for topology in &topologies() {
        let folder = root().join("services").join(topology.service()).join("src/consumes");
        let files = sources(&folder);
        // Events of the service itself come from a stream, not from a subscription.
        let own = folder.join(topology.service().replace('-', "_"));
        let events =
            files.iter().filter(|path| path.parent() != Some(&folder) && !path.starts_with(&own));
        let events = events.filter(|path| !path.ends_with("mod.rs")).count();
        let handled: usize =
            topology.subscriptions().iter().map(|subscription| subscription.handled().len()).sum();
        assert_eq!(
            events,
            handled,
            "{}: files in consumes/ and handled events",
            topology.service()
        );
    }
}

#[test]
fn services_do_not_depend_on_each_other() {
    let services: Vec<String> = fs::read_dir(root().join("services"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    for service in &services {
        let manifest = root().join("services").join(service).join("Cargo.toml");
        let manifest = fs::read_to_string(manifest).unwrap();
        for other in services.iter().filter(|other| *other != service) {
            let depends = manifest.lines().any(|line| {
                line.starts_with(&format!("{other}.")) || line.starts_with(&format!("{other} "))
            });
            assert!(!depends, "{service} depends on {other}");
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
        "envelope::",
        "problem::",
        "utoipa::",
        "serde_json::",
        "tokio::",
        "reqwest::",
        "async fn",
        "crate::app",
        "crate::storage",
        "crate::http",
        "crate::publishes",
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
