//! The modules of every crate: no cycles, and imports name the module that defines an item.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use crate::sources::{code, names_after, root, rust_files, shown};

/// The modules that each module uses.
type Graph = BTreeMap<String, BTreeSet<String>>;

/// The `src` folders of all crates.
fn source_folders() -> Vec<PathBuf> {
    let crates = ["services", "shared", "xtask"].into_iter().flat_map(|folder| {
        fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path())
    });
    let crates = crates.chain([root().join("xtask"), root().join("system-tests")]);
    crates.map(|folder| folder.join("src")).filter(|source| source.is_dir()).collect()
}

/// The modules in a folder by name, each with its files.
fn modules(folder: &Path) -> BTreeMap<String, Vec<PathBuf>> {
    let mut modules = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            modules.insert(name, rust_files(&path));
        } else if !["lib", "main", "mod"].contains(&name.as_str()) {
            modules.insert(name, vec![path]);
        }
    }
    modules
}

/// Which module of a folder uses which, by paths that begin with `prefix`, and in files of the folder itself by `super::`.
fn graph(folder: &Path, modules: &BTreeMap<String, Vec<PathBuf>>, prefix: &str) -> Graph {
    let used = |name: &String, files: &Vec<PathBuf>| {
        let names = files.iter().flat_map(|path| {
            let code = code(path);
            let is_sibling = path.parent() == Some(folder);
            let siblings = if is_sibling { names_after(&code, "super::") } else { Vec::new() };
            names_after(&code, prefix).into_iter().chain(siblings)
        });
        names.filter(|used| used != name && modules.contains_key(used)).collect()
    };
    modules.iter().map(|(name, files)| (name.clone(), used(name, files))).collect()
}

/// The modules that are on a cycle or above one: those that remain when modules without uses are removed
/// again and again.
fn on_cycles(mut graph: Graph) -> Vec<String> {
    loop {
        let free: Vec<String> = graph
            .iter()
            .filter(|(_, used)| used.is_empty())
            .map(|(name, _)| name.clone())
            .collect();
        if free.is_empty() {
            return graph.into_keys().collect();
        }
        for name in free {
            graph.remove(&name);
            for used in graph.values_mut() {
                used.remove(&name);
            }
        }
    }
}

#[test]
fn modules_of_a_crate_have_no_cycles() {
    let mut wrong = Vec::new();
    for source in source_folders() {
        let crate_modules = modules(&source);
        wrong.extend(
            on_cycles(graph(&source, &crate_modules, "crate::"))
                .into_iter()
                .map(|name| format!("{}: {name}", shown(&source))),
        );
        for name in crate_modules.keys().filter(|name| source.join(name).is_dir()) {
            let folder = source.join(name);
            // Subfolders are not looked into.
            let mut files = modules(&folder);
            files.retain(|name, _| folder.join(format!("{name}.rs")).exists());
            let cycles = on_cycles(graph(&folder, &files, &format!("crate::{name}::")));
            wrong.extend(cycles.into_iter().map(|name| format!("{}: {name}", shown(&folder))));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A name that `lib.rs` re-exports is imported from its module: `crate::error::Error`, not `crate::Error`.
/// So `lib.rs` is above all other files.
#[test]
fn imports_name_the_defining_module() {
    let mut wrong = Vec::new();
    for source in source_folders() {
        let modules = modules(&source);
        for path in rust_files(&source) {
            // A macro must name what other crates can see.
            let code = code(&path).replace("$crate::", "");
            for name in names_after(&code, "crate::") {
                let is_type = name.starts_with(|letter: char| letter.is_ascii_uppercase());
                if is_type && !modules.contains_key(&name) {
                    wrong.push(format!("{}: crate::{name}", shown(&path)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_cycle_is_found() {
    let uses = |edges: &[(&str, &[&str])]| -> Graph {
        let set = |used: &[&str]| used.iter().map(|name| (*name).to_owned()).collect();
        edges.iter().map(|(name, used)| ((*name).to_owned(), set(used))).collect()
    };
    assert_eq!(on_cycles(uses(&[("a", &["b"]), ("b", &["c"]), ("c", &[])])), [""; 0]);
    assert_eq!(on_cycles(uses(&[("a", &["b"]), ("b", &["a"]), ("c", &[])])), ["a", "b"]);
}
