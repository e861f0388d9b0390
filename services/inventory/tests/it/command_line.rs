//! The command line and the OpenAPI document.

use inventory::{Config, InventoryService, SERVICE};
use runtime::host::ServiceDefinition as _;

#[test]
fn command_line_is_valid() {
    runtime::cli::command::<Config>(&SERVICE).debug_assert();
}

#[test]
fn document_contains_every_route() {
    let document = runtime::http::document(&SERVICE, InventoryService::routes());
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
