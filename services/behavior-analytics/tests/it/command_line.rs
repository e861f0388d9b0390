//! The command line and the OpenAPI document.

use behavior_analytics::{BehaviorAnalytics, Config, SERVICE};
use runtime::host::ServiceDefinition as _;

#[test]
fn the_command_line_is_consistent() {
    runtime::cli::command::<Config>(&SERVICE).debug_assert();
}

#[test]
fn the_document_contains_every_route() {
    let document = runtime::http::document(&SERVICE, BehaviorAnalytics::routes());
    let paths: Vec<&str> = document.paths.paths.keys().map(String::as_str).collect();
    for path in [
        "/v1/events",
        "/v1/events/segment",
        "/v1/events/ga4",
        "/v1/visitors",
        "/v1/script.js",
        "/v1/event-rules",
        "/v1/visitors/{id}",
        "/v1/recommendations/similar/{product_id}",
        "/v1/recommendations/companions/{product_id}",
        "/v1/recommendations/for/{visitor_id}",
        "/v1/recommendations/session",
        "/v1/trending",
        "/v1/funnel",
        "/v1/sessions",
        "/v1/reports/{name}",
        "/v1/dead-letters",
    ] {
        assert!(paths.contains(&path), "{path} is not in {paths:?}");
    }
}
