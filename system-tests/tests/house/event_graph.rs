//! `docs/event-graph.md` is up to date, and every edge of the graph has a publisher, a consumer and its
//! files.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::PathBuf,
};

use contracts::receipts::RECEIPT;
use messaging::Topology;

use crate::{
    sources::{root, rust_files, shown, source_of},
    topologies,
};

/// The text of `docs/event-graph.md`.
fn graph(topologies: &[Topology]) -> String {
    let mut text = "# Event graph\n\nGenerated from the `topology()` of each service by `cargo xtask event-graph`.\n".to_owned();
    let mut consumers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut others: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for topology in topologies {
        for subscription in topology.subscriptions() {
            for kind in subscription.handled() {
                consumers.entry(kind).or_default().push(topology.service());
            }
            for kind in subscription.ignored() {
                others.entry(kind).or_default().push(topology.service());
            }
        }
    }
    for topology in topologies {
        write!(
            text,
            "\n## {} publishes\n\n| event | aggregate | handled by | ignored by |\n|---|---|---|---|\n",
            topology.service()
        )
        .unwrap();
        for kind in topology.published() {
            let [handled, ignored] = [&consumers, &others]
                .map(|services| services.get(kind.name).map(|names| names.join(", ")));
            let (handled, ignored) = (handled.unwrap_or_default(), ignored.unwrap_or_default());
            writeln!(text, "| `{}` | `{}` | {handled} | {ignored} |", kind.name, kind.aggregate)
                .unwrap();
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

/// The file name of an event: `order.placed.v1` gives `order_placed.rs`.
fn file_of(kind: &str) -> String {
    let name = kind.rsplit_once(".v").map_or(kind, |(name, _)| name);
    format!("{}.rs", name.replace(['.', '-'], "_"))
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

/// An event of any other type would be parked. So a new type needs a decision for every subscriber of its aggregate.
#[test]
fn each_subscriber_handles_or_ignores_each_type() {
    let contracts = contracts::schema::events();
    let mut undecided = Vec::new();
    for topology in &topologies() {
        for subscription in topology.subscriptions() {
            let known = [subscription.handled(), subscription.ignored()].concat();
            let of_aggregate =
                contracts.iter().filter(|one| one.kind.aggregate == subscription.aggregate());
            let unknown = of_aggregate.filter(|one| !known.contains(&one.kind.name));
            undecided.extend(unknown.map(|one| {
                format!("{} neither handles nor ignores {}", topology.service(), one.kind.name)
            }));
        }
    }
    assert!(undecided.is_empty(), "{undecided:#?}");
}

#[test]
fn each_event_except_receipts_has_one_owner() {
    let mut owners: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for topology in &topologies() {
        for kind in topology.published().iter().filter(|kind| kind.aggregate != RECEIPT) {
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
        let folder = source_of(topology.service()).join("consumes");
        let expected: BTreeSet<PathBuf> = topology
            .subscriptions()
            .iter()
            .flat_map(|subscription| {
                // Receipts have many publishers: their folder is named by the aggregate.
                let publisher = match subscription.publishers() {
                    [publisher] => publisher.replace('-', "_"),
                    _ => format!("{}s", subscription.aggregate()),
                };
                let folder = folder.join(publisher);
                subscription.handled().into_iter().map(move |kind| folder.join(file_of(kind)))
            })
            .collect();
        // Events of the service itself come from a stream, not from a subscription.
        let own = folder.join(topology.service().replace('-', "_"));
        let files: BTreeSet<PathBuf> = rust_files(&folder)
            .into_iter()
            .filter(|path| !path.ends_with("mod.rs") && !path.starts_with(&own))
            .collect();
        let differences: Vec<String> =
            files.symmetric_difference(&expected).map(|path| shown(path)).collect();
        assert!(
            differences.is_empty(),
            "files without event, or events without file: {differences:?}"
        );
    }
}

#[test]
fn each_published_event_has_its_own_file() {
    for topology in &topologies() {
        let folder = source_of(topology.service()).join("publishes");
        for kind in topology.published().iter().filter(|kind| kind.aggregate != RECEIPT) {
            let path = folder.join(file_of(kind.name));
            assert!(path.exists(), "{} is missing", shown(&path));
        }
    }
}
