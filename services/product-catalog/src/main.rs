//! The product-catalog process.

use std::process::ExitCode;

use product_catalog::ProductCatalogService;

fn main() -> ExitCode {
    runtime::host::run::<ProductCatalogService>()
}
