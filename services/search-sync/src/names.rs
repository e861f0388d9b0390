//! The name of this service and of the services whose events it consumes.

use runtime::Service;

/// The identity of the service.
pub const SERVICE: Service = Service {
    name: "search-sync",
    about: "The search index, kept consistent with the catalogue.",
    version: env!("CARGO_PKG_VERSION"),
    http_addr: "0.0.0.0:8084",
};

/// The publisher of products.
pub(crate) const PRODUCT_CATALOG: &str = "product-catalog";

/// The publisher of stock levels.
pub(crate) const INVENTORY: &str = "inventory";

/// The publisher of popularity.
pub(crate) const BEHAVIOR_ANALYTICS: &str = "behavior-analytics";
