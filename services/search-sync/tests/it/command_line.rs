//! The command line and the OpenAPI document.

use runtime::host::ServiceDefinition as _;
use search_sync::{Config, SERVICE, SearchSync};

#[test]
fn the_command_line_is_valid() {
    runtime::cli::command::<Config>(&SERVICE).debug_assert();
}

#[test]
fn every_route_is_documented() {
    let document = runtime::http::document(&SERVICE, SearchSync::routes());
    let paths: Vec<&str> = document.paths.paths.keys().map(String::as_str).collect();
    for path in [
        "/v1/search",
        "/v1/suggest",
        "/v1/index",
        "/v1/index/rebuild",
        "/v1/index/drift",
        "/v1/index/repair",
        "/v1/dead-letters",
    ] {
        assert!(paths.contains(&path), "{path} is not in {paths:?}");
    }
}
