//! The service's identity.

use runtime::Service;

/// The identity of the service.
pub const SERVICE: Service = Service {
    name: "product-catalog",
    about: "Products, variants, prices, categories and imports, and the progress of changes.",
    version: env!("CARGO_PKG_VERSION"),
    http_addr: "0.0.0.0:8081",
};
