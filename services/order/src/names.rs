//! The name of this service and of the services whose events it consumes.

use runtime::Service;

/// The identity of the service.
pub const SERVICE: Service = Service {
    name: "order",
    about: "Orders, payments, shipments, and the process that moves each order from one to the next.",
    version: env!("CARGO_PKG_VERSION"),
    http_addr: "0.0.0.0:8082",
};

/// The service that stores what customers did.
pub(crate) const BEHAVIOR_ANALYTICS: &str = "behavior-analytics";

/// The service that reserves stock.
pub(crate) const INVENTORY: &str = "inventory";

/// The service that owns prices and titles.
pub(crate) const PRODUCT_CATALOG: &str = "product-catalog";
