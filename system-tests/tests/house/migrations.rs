//! Migrations: each new one states which older programs work with it.

use std::{collections::BTreeSet, fs};

use runtime::schema_compatibility::stated_limit;

use crate::sources::{files_with_extension, root, shown};

/// Earlier migrations state nothing, and applied migrations never change.
const SINCE: i64 = 20_261_130_000_000;

/// The version in the name of a file.
fn version(path: &std::path::Path) -> i64 {
    let name = path.file_name().unwrap().to_str().unwrap();
    name.split('_').next().unwrap().parse().unwrap()
}

#[test]
fn new_migrations_state_which_older_programs_work_with_them() {
    for folder in fs::read_dir(root().join("migrations")).unwrap() {
        let folder = folder.unwrap().path();
        if !folder.is_dir() {
            continue;
        }
        let files = files_with_extension(&folder, "sql");
        let versions: BTreeSet<i64> = files.iter().map(|path| version(path)).collect();
        for path in files.iter().filter(|path| version(path) >= SINCE) {
            let limit = stated_limit(&fs::read_to_string(path).unwrap());
            let is_known =
                limit.is_some_and(|limit| versions.contains(&limit) && limit <= version(path));
            assert!(is_known, "{}: see migrations/README.md", shown(path));
        }
    }
}
