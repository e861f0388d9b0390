//! The language of the repository: old words do not come back, test names are short, and imports have one form.

use std::{collections::BTreeSet, fs, path::Path};

use crate::sources::{code, files, root, rust_files, shown};

/// The folders and files that are checked. Applied migrations never change, so they are not.
const CHECKED: [&str; 11] = [
    "services",
    "shared",
    "xtask",
    "system-tests",
    "docs",
    "deploy",
    ".config",
    "Dockerfile",
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
];

/// Names that the code no longer uses, as a whole name or as a part between underscores.
const OLD_NAMES: &[&str] = &[
    // Publish and subscribe.
    "says",
    "said",
    "hears",
    "heard",
    "told",
    "speaker",
    "speakers",
    "unsay",
    "Said",
    "Unsaid",
    "Kit",
    "Worth",
    "Shed",
    "Ear",
    "GoOn",
    "Seat",
    "Lanes",
    "handled_within",
    "prioritise",
    "misfits",
    // The kit.
    "Docket",
    "Patience",
    "Walls",
    "Tape",
    "Reel",
    "InOrder",
    "insist",
    "lonely",
    "burying",
    // The services.
    "Wish",
    "Keyed",
    "Happening",
    "Caused",
    "Aside",
    "CopyOffers",
    "NoteReleased",
    "NoteDeducted",
    "Whereabouts",
    "Flaw",
    "Flaws",
    "Follower",
    "Followers",
    "Shelf",
    "NeverHeardOf",
    "ListSkus",
    "Rung",
    "FlipInStock",
    "Mind",
    "Verdicts",
    "Overheard",
    "Faring",
    // Tools and tests.
    "keepers",
    "Keepers",
    "reckoning",
    "Reckoning",
    "doors",
    "Doors",
    "Whom",
    "astray",
];

/// Phrases that comments, documents and texts no longer use.
const OLD_PHRASES: &[&str] = &[
    "hears",
    "keepers",
    "reckoning",
    "whoever",
    "nobody",
    "somebody",
    "everybody",
    "is told",
    "was told",
    "goes on",
    "set aside",
    "heard of",
    "says so",
    "lets go",
    "in hand",
    "stands still",
    "flesh and blood",
];

/// Where an old word is right, and why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("system-tests/tests/house/language.rs", "", "the lists themselves"),
    ("docs/style.md", "", "bad examples"),
];

/// The text files that are checked.
fn texts() -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for name in CHECKED {
        let path = root().join(name);
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    let is_text = |path: &Path| {
        path.extension().is_none_or(|extension| {
            ["rs", "md", "toml", "js", "css", "html", "sql"].iter().any(|text| extension == *text)
        })
    };
    found.retain(|path| is_text(path));
    found
}

/// A line of Rust: its code, its strings, and its comment.
fn parts(line: &str) -> (String, String, &str) {
    let is_outside_string = |at: usize| line[..at].matches('"').count().is_multiple_of(2);
    let comment = line.match_indices("//").map(|(at, _)| at).find(|at| is_outside_string(*at));
    let (line, comment) = line.split_at(comment.unwrap_or(line.len()));
    let (mut code, mut strings) = (String::new(), String::new());
    for (number, part) in line.split('"').enumerate() {
        let target = if number % 2 == 0 { &mut code } else { &mut strings };
        target.push_str(part);
        target.push(' ');
    }
    (code, strings, comment)
}

/// Whether `text` contains `word` between boundaries. Underscores separate words: `last_said` contains `said`.
fn contains(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(start, found)| {
        let before = text[..start].chars().next_back();
        let after = text[start + found.len()..].chars().next();
        let ends = |letter: Option<char>| letter.is_none_or(|letter| !letter.is_alphanumeric());
        ends(before) && ends(after)
    })
}

/// The old words of a line. The strings of tests are their data, and not checked.
fn old_words(line: &str, is_rust: bool, is_test: bool) -> Vec<&'static str> {
    let (code, strings, comment) = if is_rust { parts(line) } else { Default::default() };
    let prose = if is_rust { comment } else { line };
    let names = OLD_NAMES.iter().filter(|word| contains(&code, word));
    let phrases = OLD_PHRASES
        .iter()
        .filter(|word| contains(prose, word) || !is_test && contains(&strings, word));
    names.chain(phrases).copied().collect()
}

#[test]
fn old_words_do_not_come_back() {
    let mut found = Vec::new();
    for path in texts() {
        let (name, text) = (shown(&path), fs::read_to_string(&path).unwrap());
        let is_rust = path.extension().is_some_and(|extension| extension == "rs");
        let is_test = name.contains("/tests/") || name.ends_with("/tests.rs");
        for (number, line) in text.lines().enumerate() {
            for word in old_words(line, is_rust, is_test) {
                let is_exception = EXCEPTIONS.iter().any(|(file, exception, _)| {
                    name == *file && (exception.is_empty() || *exception == word)
                });
                if !is_exception {
                    found.push(format!("{name}:{}: {word}", number + 1));
                }
            }
        }
    }
    assert!(found.is_empty(), "{} old words: {found:#?}", found.len());
}

#[test]
fn names_of_tests_have_at_most_60_characters() {
    let mut long = Vec::new();
    for folder in CHECKED {
        let folder = root().join(folder);
        if !folder.is_dir() {
            continue;
        }
        for path in rust_files(&folder) {
            let text = fs::read_to_string(&path).unwrap();
            for attribute in ["#[test]", "#[tokio::test"] {
                for test in text.split(attribute).skip(1) {
                    let name = test.split("fn ").nth(1).and_then(|rest| rest.split('(').next());
                    let name = name.unwrap_or_default();
                    if name.len() > 60 {
                        long.push(format!("{}: {name}", shown(&path)));
                    }
                }
            }
        }
    }
    assert!(long.is_empty(), "{long:#?}");
}

/// One `use` for each crate: `use crate::{a, b};` instead of two lines.
#[test]
fn imports_of_one_crate_are_one_statement() {
    let mut wrong = Vec::new();
    for folder in CHECKED {
        let folder = root().join(folder);
        if !folder.is_dir() {
            continue;
        }
        for path in rust_files(&folder) {
            let mut roots = BTreeSet::new();
            for line in code(&path).lines() {
                let Some(import) = line.strip_prefix("use ") else { continue };
                let first = import.split([':', ';']).next().unwrap_or_default().to_owned();
                if !roots.insert(first.clone()) {
                    wrong.push(format!("{}: use {first}", shown(&path)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn old_words_are_found_in_names_and_in_prose() {
    assert_eq!(
        old_words("let last_said = 1; // for whoever asks", true, false),
        ["said", "whoever"]
    );
    assert_eq!(old_words("let aforesaid = \"told\"; // It says nothing.", true, false), [""; 0]);
    assert_eq!(old_words("error(\"nobody answers\")", true, false), ["nobody"]);
    assert_eq!(old_words("user(\"nobody\")", true, true), [""; 0]);
    assert_eq!(old_words("The event is told to the order service.", false, false), ["is told"]);
}
