//! `/problems/{code}`: the page at the `type` of a problem, from `docs/errors.md`.

use axum::{
    extract::Path,
    response::{Html, IntoResponse as _, Response},
};
use problem::Problem;

const ERRORS: &str = include_str!("../../../../docs/errors.md");

/// A row of the table of problems.
#[derive(Debug, PartialEq, Eq)]
struct ErrorCode<'a> {
    code: &'a str,
    status: &'a str,
    meaning: &'a str,
    what_to_do: &'a str,
}

pub(super) async fn get_problem_page(Path(code): Path<String>) -> Response {
    match find(&code) {
        Some(error) => Html(render(&error)).into_response(),
        None => Problem::not_found(format_args!("error code {code}")).into_response(),
    }
}

/// Only the table of problems has a column with the status.
fn find(code: &str) -> Option<ErrorCode<'static>> {
    ERRORS.lines().filter_map(parse_row).find(|error| error.code == code)
}

fn parse_row(line: &str) -> Option<ErrorCode<'_>> {
    let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
    let [code, status, meaning, what_to_do] = cells.try_into().ok()?;
    let code = code.strip_prefix('`')?.strip_suffix('`')?;
    Some(ErrorCode { code, status, meaning, what_to_do })
}

fn render(error: &ErrorCode<'_>) -> String {
    let ErrorCode { code, status, meaning, what_to_do } = error;
    let (meaning, what_to_do) = (html(meaning), html(what_to_do));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{code}</title></head>\n<body>\n\
         <h1><code>{code}</code></h1>\n<p>Status {status}. {meaning}</p>\n<p>{what_to_do}</p>\n</body>\n</html>\n"
    )
}

/// Markdown text with code spans as HTML.
fn html(markdown: &str) -> String {
    let escaped = markdown.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let spans = escaped.split('`').enumerate().map(|(index, text)| {
        if index % 2 == 1 { format!("<code>{text}</code>") } else { text.to_owned() }
    });
    spans.collect()
}

#[cfg(test)]
mod tests {
    use super::{ERRORS, find, html, parse_row};

    #[test]
    fn every_row_with_a_status_is_found() {
        let rows = ERRORS.lines().filter_map(parse_row);
        let codes: Vec<_> = rows.map(|error| (error.code, error.status)).collect();
        assert!(codes.len() > 50, "{codes:?}");
        for (code, status) in codes {
            assert!(status.parse::<u16>().is_ok(), "{code} {status}");
            assert!(find(code).is_some(), "{code}");
        }
        // Codes of fields and events have no page.
        assert_eq!(find("out_of_range"), None);
    }

    #[test]
    fn code_spans_become_html() {
        assert_eq!(html("Send `a<b` & more."), "Send <code>a&lt;b</code> &amp; more.");
    }
}
