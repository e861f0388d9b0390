//! The files of the repository, and what the tests read in them.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The source folder of a service.
pub(crate) fn source_of(service: &str) -> PathBuf {
    root().join("services").join(service).join("src")
}

/// All Rust files in a directory and its subdirectories.
pub(crate) fn rust_files(folder: &Path) -> Vec<PathBuf> {
    files_with_extension(folder, "rs")
}

/// All files with the extension in a directory and its subdirectories.
pub(crate) fn files_with_extension(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files = files(folder);
    files.retain(|path| path.extension().is_some_and(|found| found == extension));
    files
}

/// All files in a directory and its subdirectories, without build output and hidden folders, in a stable
/// order.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if name == "target" || name.starts_with('.') {
                continue;
            }
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// A path as the messages of the tests show it.
pub(crate) fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// The code of a file without line comments and without its unit tests.
pub(crate) fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    text.lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
}

/// The names that follow `prefix::` in code: `crate::domain::Order` gives `domain`, `crate::{a::B, c}` gives
/// `a` and `c`.
pub(crate) fn names_after(code: &str, prefix: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (start, found) in code.match_indices(prefix) {
        let is_whole_word =
            !code[..start].ends_with(|before: char| before.is_alphanumeric() || before == '_');
        if !is_whole_word {
            continue;
        }
        let rest = &code[start + found.len()..];
        match rest.strip_prefix('{') {
            Some(list) => names.extend(items_of(list)),
            None => names.extend(first_name(rest)),
        }
    }
    names
}

/// The first name of each item of a braced list, whose opening brace is stripped.
fn items_of(list: &str) -> Vec<String> {
    let (mut depth, mut starts, mut end) = (0_usize, vec![0], list.len());
    for (at, letter) in list.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => {
                end = at;
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => starts.push(at + 1),
            _ => {}
        }
    }
    starts.into_iter().filter_map(|start| first_name(list.get(start..end)?)).collect()
}

fn first_name(text: &str) -> Option<String> {
    let name: String = text
        .trim_start()
        .chars()
        .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
        .collect();
    (!name.is_empty()).then_some(name)
}

#[test]
fn names_are_read_from_paths_and_lists() {
    let code = "use crate::{app::{a::B, C}, domain::D,\n    storage};\nfn f() { crate::config::x(); othercrate::y() }";
    assert_eq!(names_after(code, "crate::"), ["app", "domain", "storage", "config"]);
}
