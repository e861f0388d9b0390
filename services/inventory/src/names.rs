//! The name of this service and of the services whose events it consumes.

use runtime::Service;

/// The identity of the service.
pub const SERVICE: Service = Service {
    name: "inventory",
    about: "Stock per SKU and warehouse, reservations and the ledger.",
    version: env!("CARGO_PKG_VERSION"),
    http_addr: "0.0.0.0:8083",
};

/// The publisher of orders, and the ledger's actor for the movements that orders cause.
pub(crate) const ORDER: &str = "order";

/// The publisher of products and of counts, and the ledger's actor for counts.
pub(crate) const PRODUCT_CATALOG: &str = "product-catalog";
