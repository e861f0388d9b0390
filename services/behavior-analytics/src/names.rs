//! The service's identity.

use runtime::Service;

/// Name, description, version and default address.
pub const SERVICE: Service = Service {
    name: "behavior-analytics",
    about: "User events, trends and recommendations.",
    version: env!("CARGO_PKG_VERSION"),
    http_addr: "0.0.0.0:8085",
};
