//! The pages and their assets.

use reqwest::StatusCode;
use serde_json::Value;

use crate::suite::Suite;

/// The values of `href` and `src` below `/assets/`.
fn files_of(html: &str) -> Vec<String> {
    ["href=\"", "src=\""]
        .into_iter()
        .flat_map(|attribute| html.split(attribute).skip(1))
        .filter_map(|rest| rest.split('"').next())
        .filter(|path| path.starts_with("/assets/"))
        .map(|path| path.split('#').next().unwrap_or_default().to_owned())
        .collect()
}

/// The modules that a script imports.
fn imports_of(script: &str) -> Vec<String> {
    let named =
        script.lines().filter(|line| line.starts_with("import ") || line.starts_with("} from "));
    named.filter_map(|line| line.split('\'').nth(1)).map(str::to_owned).collect()
}

#[tokio::test]
async fn pages_have_a_strict_csp_and_an_etag() {
    let suite = Suite::start().await;
    for page in ["/", "/ops", "/assets/base.css", "/assets/shop/main.js", "/assets/icon.svg"] {
        let response = suite.get(page).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{page}");
        let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        let etag = response.headers()["etag"].clone();
        let again = suite.get(page).header("if-none-match", &etag).send().await.unwrap();
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{page}");
        assert_eq!(again.headers()["etag"], etag);
        assert!(again.bytes().await.unwrap().is_empty());
        let other = suite.get(page).header("if-none-match", "\"other\"").send().await.unwrap();
        assert_eq!(other.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn every_asset_that_a_page_references_exists() {
    let suite = Suite::start().await;
    let mut remaining: Vec<String> = ["/", "/ops", "/merchant"].map(str::to_owned).to_vec();
    let mut seen = Vec::new();
    while let Some(path) = remaining.pop() {
        let response = suite.get(&path).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let content_type = response.headers()["content-type"].to_str().unwrap().to_owned();
        let text = response.text().await.unwrap();
        let references =
            if content_type.starts_with("text/html") { files_of(&text) } else { imports_of(&text) };
        assert!(
            !text.contains("style=\"") && !text.contains("innerHTML"),
            "{path} breaks the policy"
        );
        seen.push(path);
        remaining.extend(references.into_iter().filter(|file| !seen.contains(file)));
    }
    assert!(seen.len() > 20, "{seen:?}");
}

#[tokio::test]
async fn both_languages_have_the_same_keys() {
    let shared = include_str!("../../web/i18n.js");
    let merchant = include_str!("../../web/merchant/texts.js");
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
    for script in [shared, merchant] {
        let (zh, en) = script.split_once("\n  en: {").unwrap();
        let en = en.split_once("\n}").unwrap().0;
        assert!(keys(en).len() > 50);
        assert_eq!(keys(zh.split_once("zh: {").unwrap().1), keys(en));
    }
}

#[tokio::test]
async fn unknown_route_is_a_problem() {
    let suite = Suite::start().await;
    for path in ["/nothing", "/assets/nothing.js", "/assets/../Cargo.toml", "/ops/nothing"] {
        let response = suite.get(path).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(response.headers()["content-type"], "application/problem+json", "{path}");
        let problem: Value = response.json().await.unwrap();
        assert_eq!(problem["code"], "route_not_found");
        assert!(problem["trace_id"].is_string());
    }
    let response = suite.post("/").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    let ready = suite.get("/health/ready").send().await.unwrap();
    assert_eq!(ready.status(), StatusCode::OK);
}
