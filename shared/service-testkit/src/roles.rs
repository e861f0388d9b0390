//! The matrix of operations and roles: `docs/roles.md`.

use std::{fmt::Write as _, fs, path::PathBuf};

use reqwest::{Client, StatusCode, header::IF_MATCH};
use runtime::auth::{Role, Scope};
use serde_json::json;

use crate::{http::answer, operations::Operation};

/// The page, below the root of the repository.
const PAGE: &str = "docs/roles.md";

/// The heading of the table of all roles.
const ROLES_HEADING: &str = "## What each role allows";

/// The scopes of a shopper.
const SHOPPER: [Scope; 2] = [Scope::OrdersRead, Scope::OrdersWrite];

/// Whom a column of the matrix is about: its title, and the scopes; `None` without a token.
fn columns() -> Vec<(&'static str, Option<Vec<Scope>>)> {
    let roles = Role::ALL.map(|role| (role.as_str(), Some(role.scopes().to_vec())));
    [("without a token", None), ("shopper", Some(SHOPPER.to_vec()))]
        .into_iter()
        .chain(roles)
        .collect()
}

/// Calls every operation of the service at `base` without a token, as a shopper and in every role, and compares who is refused with
/// the OpenAPI document and with the committed matrix. With the environment variable `ROLES` it writes the matrix.
pub async fn assert_roles_follow_the_matrix(
    base: &str,
    service: &str,
    token: impl Fn(&[Scope]) -> String,
) {
    let client = Client::builder().no_proxy().build().unwrap();
    let (_, document) = answer(client.get(format!("{base}/openapi.json"))).await;
    let columns = columns();
    let titles: Vec<&str> = columns.iter().map(|(title, _)| *title).collect();
    let mut table =
        format!("| operation | {} |\n|---|{}\n", titles.join(" | "), "---|".repeat(titles.len()));
    let mut wrong = Vec::new();
    for operation in Operation::of_document(&document) {
        let (method, path) = (&operation.method, operation.valid_path());
        let mut row = format!("| `{method} {}` |", operation.path);
        for (title, scopes) in &columns {
            let mut request = client.request(method.clone(), format!("{base}{path}"));
            if operation.body.is_some() {
                request = request.json(&json!({}));
            }
            if let Some(scopes) = scopes {
                request = request.bearer_auth(token(scopes));
            }
            // The head of the answer is enough: some bodies do not end.
            let response = request.header(IF_MATCH, "\"1\"").send().await.unwrap();
            let status = response.status();
            let is_refused = match (scopes, status) {
                // Signatures and credentials are no tokens: such an operation is open, and refuses by itself.
                (None, StatusCode::UNAUTHORIZED) => !operation.alternatives.is_empty(),
                (Some(_), StatusCode::FORBIDDEN) => {
                    let (_, problem) =
                        (status, response.json::<serde_json::Value>().await.unwrap());
                    problem["code"] == "insufficient_scope"
                }
                _ => false,
            };
            if is_refused == is_allowed(&operation, scopes.as_deref()) {
                wrong.push(format!("{method} {path} as {title}: {status}"));
            }
            row.push_str(if is_refused { " – |" } else { " yes |" });
        }
        writeln!(table, "{row}").unwrap();
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_section_is(&format!("## {service}"), &table);
}

/// Whether the document and the roles allow an operation. `orders:admin` covers the scopes of customers.
fn is_allowed(operation: &Operation, scopes: Option<&[Scope]>) -> bool {
    let has = |name: &String| {
        let scopes = scopes.unwrap_or_default();
        let is_covered = SHOPPER.iter().any(|scope| scope.as_str() == name);
        scopes
            .iter()
            .any(|scope| scope.as_str() == name || (is_covered && *scope == Scope::OrdersAdmin))
    };
    operation.alternatives.is_empty()
        || (scopes.is_some() && operation.alternatives.iter().any(|all| all.iter().all(has)))
}

/// Compares the table of all roles with the committed one. With the environment variable `ROLES` it writes it.
pub fn assert_roles_are_documented() {
    let mut table = "| role | scopes |\n|---|---|\n".to_owned();
    for role in Role::ALL {
        let scopes: Vec<String> = role.scopes().iter().map(|scope| format!("`{scope}`")).collect();
        writeln!(table, "| {role} | {} |", scopes.join(", ")).unwrap();
    }
    assert_section_is(ROLES_HEADING, &table);
}

/// Compares the table of a section of the page.
fn assert_section_is(heading: &str, table: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(PAGE);
    let page = fs::read_to_string(&path).unwrap_or_default();
    let start = page.find(&format!("{heading}\n"));
    let rest = start.map_or("", |start| &page[start + heading.len()..]);
    let section = rest.split("\n## ").next().unwrap_or_default();
    if std::env::var_os("ROLES").is_none() {
        let hint = "run the test again with ROLES=1 in the environment to write it";
        assert_eq!(section.trim(), table.trim(), "{PAGE}, {heading}: {hint}");
        return;
    }
    let written = match start {
        Some(start) => {
            let end = start + heading.len() + section.len();
            format!("{}{heading}\n\n{}\n{}", &page[..start], table.trim(), &page[end..])
        }
        None => format!("{}\n\n{heading}\n\n{}\n", page.trim_end(), table.trim()),
    };
    fs::write(path, written).unwrap();
}
