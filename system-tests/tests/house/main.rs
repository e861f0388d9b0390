//! Rules that the compiler cannot check: the pattern of the services, the language, the event graph, and the
//! committed contracts.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod asyncapi;
mod contract_files;
mod documents;
mod error_codes;
mod event_graph;
mod language;
mod migrations;
mod modules;
mod pattern;
mod sources;

use std::{collections::BTreeSet, fs, process::Command};

use messaging::Topology;

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

/// The overrides of nextest select tests by name; a renamed test would silently lose them.
#[test]
fn nextest_overrides_name_existing_tests() {
    let configuration = fs::read_to_string(sources::root().join(".config/nextest.toml")).unwrap();
    let sources: Vec<String> = ["services", "shared", "system-tests"]
        .into_iter()
        .flat_map(|folder| sources::rust_files(&sources::root().join(folder)))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    for filter in configuration.split("test(").skip(1) {
        let name = filter.split(')').next().unwrap_or_default();
        let function = format!("fn {name}(");
        assert!(sources.iter().any(|text| text.contains(&function)), "there is no test {name}");
    }
}

/// If a development dependency changed the features of a crate, `cargo build` and `cargo test` would both compile it and its dependents.
#[test]
fn dev_dependencies_change_no_features() {
    let tree = |edges: &str| -> BTreeSet<String> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let arguments = ["tree", "--workspace", "--locked", "--prefix", "none"];
        let output = Command::new(cargo)
            .args(arguments)
            .args(["--format", "{p} [{f}]", "--edges", edges])
            .current_dir(sources::root())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect()
    };
    let (without, with) = (tree("normal,build"), tree("normal,build,dev"));
    let changed: Vec<&String> = without.difference(&with).collect();
    assert!(changed.is_empty(), "development dependencies add features to {changed:#?}");
}
