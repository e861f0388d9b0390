//! The programs of the suite and where they listen.

use std::env;

use crate::failure::Failure;

/// The port of the console unless `SHOP_PORT_BASE` says otherwise; the services follow.
const DEFAULT_BASE: u16 = 8080;

/// One program of the suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Service {
    /// The name of its directory, its package, its program and its database.
    pub(crate) name: &'static str,
    /// The distance of its port from the console's.
    offset: u16,
    /// The variable that tells the console its address.
    pub(crate) address_variable: &'static str,
}

/// Finds products.
pub(crate) const SEARCH_SYNC: Service =
    Service { name: "search-sync", offset: 4, address_variable: "SEARCH_SYNC_URL" };

/// The services, each with a database of its own.
pub(crate) const SERVICES: [Service; 5] = [
    Service { name: "product-catalog", offset: 1, address_variable: "PRODUCT_CATALOG_URL" },
    Service { name: "order", offset: 2, address_variable: "ORDER_URL" },
    Service { name: "inventory", offset: 3, address_variable: "INVENTORY_URL" },
    SEARCH_SYNC,
    Service { name: "behavior-analytics", offset: 5, address_variable: "BEHAVIOR_ANALYTICS_URL" },
];

/// The face of the suite. It owns no data.
pub(crate) const CONSOLE: Service =
    Service { name: "console", offset: 0, address_variable: "CONSOLE_URL" };

/// Where the programs listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Ports {
    base: u16,
}

impl Ports {
    /// As the environment says, or the usual ones.
    pub(crate) fn from_environment() -> Result<Self, Failure> {
        let Ok(value) = env::var("SHOP_PORT_BASE") else { return Ok(Self { base: DEFAULT_BASE }) };
        match value.parse() {
            Ok(base) if (1..=u16::MAX - 10).contains(&base) => Ok(Self { base }),
            Ok(_) | Err(_) => Err(Failure::Variable {
                variable: "SHOP_PORT_BASE",
                value,
                expected: "a port with room for ten above it",
            }),
        }
    }

    /// `host:port` of a program.
    pub(crate) fn address(self, service: Service) -> String {
        format!("127.0.0.1:{}", self.base + service.offset)
    }

    /// The address of a program.
    pub(crate) fn url(self, service: Service) -> String {
        format!("http://{}", self.address(service))
    }

    /// The address of the program with this name.
    pub(crate) fn url_of(self, name: &str) -> String {
        let service = SERVICES.into_iter().find(|service| service.name == name);
        self.url(service.unwrap_or(CONSOLE))
    }
}
