//! The five services follow one pattern: the same files and modules, dependencies in one direction, and a
//! pure domain.

use std::{collections::BTreeSet, fs, path::Path};

use system_tests::SERVICES;

use crate::sources::{code, names_after, root, rust_files, shown, source_of};

/// What every service has in `src`.
const REQUIRED: [&str; 10] = [
    "app",
    "config.rs",
    "consumes",
    "domain",
    "http",
    "lib.rs",
    "main.rs",
    "publishes",
    "state.rs",
    "storage",
];

/// What a service may have besides.
const OPTIONAL: [&str; 2] = ["names.rs", "workers"];

/// Modules of a single service, with their layer.
const OWN_MODULES: [(&str, &str, u8); 4] = [
    // Attribute values in JSON, which events, the catalogue's API and the database share.
    ("search-sync", "json", 2),
    // Analysis of text: tokens, pinyin.
    ("search-sync", "text", 1),
    // The search index, which is a storage.
    ("search-sync", "index", 3),
    // The HTTP client of product-catalog.
    ("search-sync", "clients", 3),
];

/// The layers. A module may depend on modules of lower layers only, so that there are no cycles.
const LAYERS: [(&str, u8); 11] = [
    ("names", 0),
    ("domain", 1),
    ("config", 2),
    ("storage", 3),
    ("publishes", 3),
    ("app", 4),
    ("workers", 5),
    ("consumes", 6),
    ("state", 6),
    ("http", 7),
    ("lib", 8),
];

/// The layer of a module; none for an item that is no module, such as a constant or a re-export of the crate
/// root.
fn layer(service: &str, module: &str) -> Option<u8> {
    let own = OWN_MODULES.iter().filter(|(owner, ..)| *owner == service);
    let own = own.map(|(_, module, layer)| (*module, *layer));
    LAYERS.into_iter().chain(own).find(|(name, _)| *name == module).map(|(_, layer)| layer)
}

/// The name of the module that a file belongs to, directly below `src`.
fn module_of(source: &Path, path: &Path) -> String {
    let relative = path.strip_prefix(source).unwrap();
    let first = relative.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

#[test]
fn services_have_the_same_files() {
    for service in SERVICES {
        let source = source_of(service);
        let found: BTreeSet<String> = fs::read_dir(&source)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        for name in REQUIRED {
            assert!(found.contains(name), "{service} has no src/{name}");
        }
        for name in &found {
            let module = name.trim_end_matches(".rs");
            let is_own =
                OWN_MODULES.iter().any(|(owner, own, _)| *owner == service && *own == module);
            let is_known = REQUIRED.contains(&name.as_str()) || OPTIONAL.contains(&name.as_str());
            assert!(is_known || is_own, "{service}: src/{name} is not part of the pattern");
        }
        for folder in ["app", "consumes", "domain", "http", "publishes", "storage"] {
            assert!(source.join(folder).join("mod.rs").exists(), "{service}: {folder}/mod.rs");
        }
        let lines = fs::read_to_string(source.join("main.rs")).unwrap().lines().count();
        assert!(lines <= 15, "{service}: main.rs has {lines} lines");
    }
}

#[test]
fn modules_depend_on_lower_layers_only() {
    let mut wrong = Vec::new();
    for service in SERVICES {
        let source = source_of(service);
        for path in rust_files(&source) {
            let module = module_of(&source, &path);
            if module == "main" {
                continue;
            }
            let from = layer(service, &module).unwrap_or_default();
            for used in names_after(&code(&path), "crate::") {
                let Some(to) = layer(service, &used) else { continue };
                if used != module && to >= from {
                    wrong.push(format!("{}: {module} uses {used}", shown(&path)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What each module of a service must not use.
const FORBIDDEN: [(&str, &[&str]); 6] = [
    (
        "domain",
        &[
            "axum",
            "contracts",
            "envelope",
            "lapin",
            "messaging",
            "problem",
            "reqwest",
            "runtime",
            "serde_json",
            "sqlx",
            "tokio",
            "utoipa",
        ],
    ),
    ("storage", &["axum", "contracts", "utoipa", "problem", "reqwest"]),
    ("publishes", &["axum", "sqlx", "utoipa", "reqwest"]),
    ("app", &["axum", "utoipa", "lapin"]),
    ("workers", &["axum", "utoipa", "lapin"]),
    ("consumes", &["axum", "utoipa", "lapin", "reqwest"]),
];

/// Files that may use a crate in spite of that, and why.
const EXCEPTIONS: [(&str, &str, &str); 1] = [(
    "services/order/src/storage/timeline.rs",
    "contracts",
    "a timeline row stores the type of an event",
)];

#[test]
fn modules_use_no_foreign_crates() {
    let mut wrong = Vec::new();
    for service in SERVICES {
        for (module, crates) in FORBIDDEN {
            let folder = source_of(service).join(module);
            if !folder.exists() {
                continue;
            }
            for path in rust_files(&folder) {
                let code = code(&path);
                for name in crates {
                    let is_exception = EXCEPTIONS
                        .iter()
                        .any(|(file, used, _)| shown(&path) == *file && used == name);
                    if !is_exception && !names_after(&code, &format!("{name}::")).is_empty() {
                        wrong.push(format!("{}: {name}", shown(&path)));
                    }
                }
                if module == "domain" && code.contains("async fn") {
                    wrong.push(format!("{}: async", shown(&path)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn endpoint_file_and_handler_have_one_name() {
    for service in SERVICES {
        for path in rust_files(&source_of(service).join("http")) {
            let text = code(&path);
            let mut endpoints = text.split("#[utoipa::path(").skip(1);
            let Some(endpoint) = endpoints.next() else { continue };
            assert!(endpoints.next().is_none(), "{} has several endpoints", shown(&path));
            let stem = path.file_stem().unwrap().to_str().unwrap();
            let handler = endpoint.split("fn ").nth(1).unwrap_or_default();
            assert!(
                handler.starts_with(&format!("{stem}("))
                    || handler.starts_with(&format!("{stem}<")),
                "{}: the handler has another name",
                shown(&path)
            );
            assert!(!endpoint.contains("operation_id"), "{}: operation_id", shown(&path));
        }
    }
}

#[test]
fn services_do_not_depend_on_each_other() {
    let services: Vec<&str> = SERVICES.into_iter().chain(["console"]).collect();
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
