//! The name of this program.

use runtime::Service;

/// The name, version and default address of this program.
pub const SERVICE: Service = Service {
    name: "console",
    about: "Web front end of the suite: storefront, operations page, and a proxy to every service.",
    version: env!("CARGO_PKG_VERSION"),
    http_addr: "0.0.0.0:8080",
};
