//! The documents: links lead somewhere, and the files and tests that they name exist.

use std::{collections::BTreeSet, fs, path::PathBuf};

use crate::sources::{files_with_extension, root};

/// The documents of the root folder and of `docs/`, without generated ones.
fn documents() -> Vec<PathBuf> {
    let mut found = files_with_extension(&root().join("docs"), "md");
    for entry in fs::read_dir(root()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    found
}

/// The texts between `open` and `close`.
fn between<'a>(text: &'a str, open: &'a str, close: char) -> impl Iterator<Item = &'a str> {
    text.split(open).skip(1).filter_map(move |rest| rest.split(close).next())
}

/// The text without code blocks.
fn prose(text: &str) -> String {
    let parts = text.split("\n```");
    parts.step_by(2).collect::<Vec<_>>().join("\n")
}

/// The anchor of a heading, as GitHub forms it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    kept.chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

#[test]
fn links_of_documents_lead_somewhere() {
    for document in documents() {
        let text = prose(&fs::read_to_string(&document).unwrap());
        for link in between(&text, "](", ')').filter(|link| !link.contains("://")) {
            let (path, fragment) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => document.clone(),
                _ => document.parent().unwrap().join(path),
            };
            assert!(target.exists(), "{}: {link}", document.display());
            if !fragment.is_empty() {
                let target = fs::read_to_string(target).unwrap();
                let mut headings = target.lines().filter(|line| line.starts_with('#'));
                let found = headings.any(|line| anchor(line.trim_start_matches('#')) == fragment);
                assert!(found, "{}: no heading for {link}", document.display());
            }
        }
    }
}

#[test]
fn files_and_tests_that_documents_name_exist() {
    let folders = ["services", "shared", "system-tests", "xtask", "docs"];
    let sources = folders.map(|folder| files_with_extension(&root().join(folder), "rs"));
    let names: BTreeSet<String> = sources
        .iter()
        .flatten()
        .flat_map(|path| {
            let text = fs::read_to_string(path).unwrap();
            between(&text, "fn ", '(').map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        for code in between(&text, "`", '`') {
            let is_path = folders.iter().any(|folder| code.starts_with(&format!("{folder}/")))
                && !code.contains(['<', '*', ' ', '…']);
            if is_path {
                assert!(root().join(code).exists(), "{}: {code}", document.display());
            }
            let is_name = |text: &str| text.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            // Short names without a module are figures or columns.
            let (module, test, min_words) = match code.split_once("::") {
                Some((module, test)) => (module, test, 4),
                None => ("", code, 8),
            };
            if is_name(module) && is_name(test) && test.split('_').count() >= min_words {
                assert!(names.contains(test), "{}: no test {code}", document.display());
            }
        }
    }
}
