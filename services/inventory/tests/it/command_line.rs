//! What the program is told.

use inventory::{SERVICE, config::Config, http};

#[test]
fn the_command_line_is_sound() {
    runtime::cli::command::<Config>(&SERVICE).debug_assert();
}

#[test]
fn every_route_is_in_the_document() {
    let document = runtime::http::document(&SERVICE, http::routes());
    let paths: Vec<&str> = document.paths.paths.keys().map(String::as_str).collect();
    for path in [
        "/v1/stock",
        "/v1/stock/{sku}",
        "/v1/stock/{sku}/adjustments",
        "/v1/stock/{sku}/ledger",
        "/v1/reservations/{order_id}",
        "/v1/warehouses",
        "/v1/dead-letters",
    ] {
        assert!(paths.contains(&path), "{path} is not in {paths:?}");
    }
}
