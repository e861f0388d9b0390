//! The pages and their files.

use reqwest::StatusCode;
use serde_json::Value;

use crate::suite::Suite;

/// The values of `href="…"` and `src="…"` that are files of ours.
fn files_of(html: &str) -> Vec<String> {
    ["href=\"", "src=\""]
        .into_iter()
        .flat_map(|attribute| html.split(attribute).skip(1))
        .filter_map(|rest| rest.split('"').next())
        .filter(|path| path.starts_with("/assets/"))
        .map(|path| path.split('#').next().unwrap_or_default().to_owned())
        .collect()
}

/// What a script imports.
fn imports_of(script: &str) -> Vec<String> {
    let named = script.lines().filter(|line| line.starts_with("import "));
    named.filter_map(|line| line.split('\'').nth(1)).map(str::to_owned).collect()
}

#[tokio::test]
async fn pages_come_with_a_strict_policy_and_an_etag() {
    let suite = Suite::start().await;
    for page in ["/", "/ops", "/assets/base.css", "/assets/shop/main.js", "/assets/icon.svg"] {
        let answer = suite.get(page).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{page}");
        let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        let etag = answer.headers()["etag"].clone();
        let again = suite.get(page).header("if-none-match", &etag).send().await.unwrap();
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{page}");
        assert_eq!(again.headers()["etag"], etag);
        assert!(again.bytes().await.unwrap().is_empty());
        let other = suite.get(page).header("if-none-match", "\"other\"").send().await.unwrap();
        assert_eq!(other.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn everything_that_a_page_asks_for_is_there() {
    let suite = Suite::start().await;
    let mut left: Vec<String> = vec!["/".to_owned(), "/ops".to_owned()];
    let mut seen = Vec::new();
    while let Some(path) = left.pop() {
        let answer = suite.get(&path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        let text = answer.text().await.unwrap();
        let wanted =
            if kind.starts_with("text/html") { files_of(&text) } else { imports_of(&text) };
        assert!(
            !text.contains("style=\"") && !text.contains("innerHTML"),
            "{path} breaks the policy"
        );
        seen.push(path);
        left.extend(wanted.into_iter().filter(|file| !seen.contains(file)));
    }
    assert!(seen.len() > 20, "{seen:?}");
}

#[tokio::test]
async fn both_languages_have_the_same_words() {
    let script = include_str!("../../web/words.js");
    let (zh, en) = script.split_once("\n  en: {").unwrap();
    let keys = |text: &str| {
        let mut keys: Vec<String> = text
            .split(['{', ',', '\n'])
            .filter_map(|part| part.trim().split_once(": '"))
            .map(|(key, _)| key.trim_matches('\'').to_owned())
            .filter(|key| key.chars().all(|c| c.is_ascii_alphanumeric() || "._".contains(c)))
            .collect();
        keys.sort();
        keys
    };
    let en = en.split_once("\n};").unwrap().0;
    assert!(keys(en).len() > 100);
    assert_eq!(keys(zh.split_once("zh: {").unwrap().1), keys(en));
}

#[tokio::test]
async fn what_is_not_there_is_a_problem() {
    let suite = Suite::start().await;
    for path in ["/nothing", "/assets/nothing.js", "/assets/../Cargo.toml", "/ops/nothing"] {
        let answer = suite.get(path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json", "{path}");
        let problem: Value = answer.json().await.unwrap();
        assert_eq!(problem["code"], "route_not_found");
        assert!(problem["trace_id"].is_string());
    }
    let answer = suite.post("/").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
    let ready = suite.get("/health/ready").send().await.unwrap();
    assert_eq!(ready.status(), StatusCode::OK);
}
