//! `docs/errors.md` lists every error code in the sources, and no other code.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use regex::Regex;

use crate::sources::{root, rust_files as sources};

/// Where the code of a problem appears as a literal: in a constructor, beside a title or a retry time, as a
/// field, or as the result of a function whose name ends in `_code`.
const PROBLEM_CODES: [&str; 6] = [
    r#"\b(?:Problem|Self)::(?:bad_request|conflict|unavailable)\(\s*"([a-z_]+)""#,
    r#"\b(?:Problem|Self)::new\(\s*[^,"]+,\s*"([a-z_]+)""#,
    r#""([a-z]+(?:_[a-z]+)+)",\s*"[A-Z][^"]* [^"]*""#,
    r#"\("([a-z]+(?:_[a-z]+)+)", [A-Z_]*RETRY[A-Z_]*\)"#,
    r#"\bcode: "([a-z_]+)""#,
    r"(?s)\bfn \w+_code\([^{]*\{.*?\n\}",
];

/// Where the code of a field appears as a literal.
const FIELD_CODES: [&str; 1] = [
    r#"\b(?:FieldError::new|fields\.refuse|\w+\.add)\(\s*(?:&?[\w.]+|"[^"]*"|format[_args]*!\([^)]*\)),\s*"([a-z_]+)""#,
];

/// The codes in the sources, each with a file that contains it. A pattern without a group matches a function
/// that returns codes.
fn codes_in_sources(patterns: &[&str]) -> BTreeMap<String, String> {
    let patterns: Vec<Regex> =
        patterns.iter().map(|pattern| Regex::new(pattern).unwrap()).collect();
    let arm = Regex::new(r#"=> (?:Some\()?"([a-z_]+)""#).unwrap();
    let mut found = BTreeMap::new();
    for path in ["services", "shared"].iter().flat_map(|folder| sources(&root().join(folder))) {
        if !path.components().any(|part| part.as_os_str() == "src") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        for captures in patterns.iter().flat_map(|pattern| pattern.captures_iter(text)) {
            let codes: Vec<&str> = match captures.get(1) {
                Some(code) => vec![code.as_str()],
                None => arm
                    .captures_iter(captures.get_match().as_str())
                    .map(|arm| arm.extract::<1>().1[0])
                    .collect(),
            };
            for code in codes {
                found.insert(code.to_owned(), path.display().to_string());
            }
        }
    }
    found
}

/// The codes in the tables below the headings.
fn codes_on_page(headings: &[&str]) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("docs/errors.md")).unwrap();
    let sections = text.split("\n## ");
    let sections =
        sections.filter(|section| headings.iter().any(|heading| section.starts_with(heading)));
    let rows = sections.flat_map(str::lines).filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| row.split('`').next().unwrap_or_default().to_owned()).collect()
}

fn assert_documented(found: &BTreeMap<String, String>, documented: &BTreeSet<String>) {
    for (code, file) in found {
        assert!(documented.contains(code), "add `{code}` of {file} to docs/errors.md");
    }
}

#[test]
fn every_problem_code_is_documented() {
    let documented = codes_on_page(&["Problems", "Why an order ended"]);
    assert_documented(&codes_in_sources(&PROBLEM_CODES), &documented);
}

#[test]
fn every_field_code_is_documented() {
    assert_documented(&codes_in_sources(&FIELD_CODES), &codes_on_page(&["Fields"]));
}

#[test]
fn every_documented_code_is_used() {
    let headings = ["Problems", "Fields", "Entries of a batch", "Why an order ended"];
    let mut unused = codes_on_page(&headings);
    for path in ["services", "shared"].iter().flat_map(|folder| sources(&root().join(folder))) {
        let text = fs::read_to_string(path).unwrap();
        unused.retain(|code| !text.contains(&format!("\"{code}\"")));
    }
    assert!(unused.is_empty(), "docs/errors.md lists unused codes: {unused:?}");
}
