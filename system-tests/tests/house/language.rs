//! The language of the repository: old words do not come back, and test names are short.

use std::{fs, path::Path};

use crate::sources::{code, files, root, rust_files, shown};

/// The folders and files whose language is checked.
const CHECKED: [&str; 4] = ["xtask", "system-tests", "shared/sample-catalogue", "Dockerfile"];

/// Words that the repository no longer uses. A word in lower case matches in prose, code and names with
/// underscores; a word with a capital matches the name of a type.
const OLD_WORDS: &[&str] = &[
    // Publish and subscribe.
    "says",
    "said",
    "hears",
    "heard",
    "told",
    "speaker",
    "speakers",
    "unsay",
    "listeners",
    "Said",
    "Kit",
    "Worth",
    "Shed",
    "Ear",
    "Unsaid",
    "GoOn",
    "Seat",
    "Lanes",
    "guarded",
    "handled_within",
    "prioritise",
    "misfits",
    // The kit.
    "Docket",
    "Patience",
    "Walls",
    "Tape",
    "Reel",
    "Turn",
    "Taken",
    "InOrder",
    "insist",
    "lonely",
    "burying",
    // Services.
    "Wish",
    "Keyed",
    "Happening",
    "Caused",
    "Aside",
    "Terms",
    "Alarm",
    "CopyOffers",
    "NoteReleased",
    "NoteDeducted",
    "Whereabouts",
    "Whose",
    "Flaw",
    "Flaws",
    "Followers",
    "Follower",
    "Shelf",
    "NeverHeardOf",
    "ListSkus",
    "Rung",
    "FlipInStock",
    "Mind",
    "Verdicts",
    "Heat",
    "Touch",
    "Overheard",
    "Faring",
    // Tools and tests.
    "keepers",
    "Keepers",
    "reckoning",
    "Reckoning",
    "blow",
    "doors",
    "Doors",
    "Whom",
    "astray",
    // Pronouns and circumlocutions.
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
    "so to speak",
    "lets go",
    "in hand",
    "stands still",
];

/// Where an old word is right: the file, the word, and why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("system-tests/tests/house/language.rs", "", "the list itself"),
    ("xtask/chaos/src/verify.rs", "astray", "the names of figures stay"),
    ("shared/sample-catalogue/src/generator/wording.rs", "Ear", "a semi-in-ear headphone"),
];

/// The files with text in which words are searched.
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

/// Whether `line` contains `word` between word boundaries. Underscores separate words: `last_said` contains
/// `said`.
fn contains(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(start, found)| {
        let before = line[..start].chars().next_back();
        let after = line[start + found.len()..].chars().next();
        let ends = |letter: Option<char>| letter.is_none_or(|letter| !letter.is_alphanumeric());
        ends(before) && ends(after)
    })
}

#[test]
fn old_words_do_not_come_back() {
    let mut found = Vec::new();
    for path in texts() {
        let (name, text) = (shown(&path), fs::read_to_string(&path).unwrap());
        for (number, line) in text.lines().enumerate() {
            for word in OLD_WORDS.iter().filter(|word| contains(line, word)) {
                let is_exception = EXCEPTIONS.iter().any(|(file, exception, _)| {
                    name == *file && (exception.is_empty() || exception == word)
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
            let mut roots = std::collections::BTreeSet::new();
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
fn words_match_between_boundaries() {
    assert!(contains("the last_said event", "said") && contains("`Said`", "Said"));
    assert!(!contains("aforesaid", "said") && !contains("saids", "said"));
}
