//! The name of this service and of the services whose events it consumes.

use runtime::Service;

/// The identity of the service.
pub const SERVICE: Service = Service {
    name: "behavior-analytics",
    about: "User events, trends and recommendations.",
    version: env!("CARGO_PKG_VERSION"),
    http_addr: "0.0.0.0:8085",
};

/// The publisher of products.
pub(crate) const PRODUCT_CATALOG: &str = "product-catalog";

/// The publisher of stock.
pub(crate) const INVENTORY: &str = "inventory";

/// The publisher of orders.
pub(crate) const ORDER: &str = "order";
