//! The programs of the suite and their addresses.

use std::env;

use crate::error::Error;

/// The port of the console unless `SHOP_PORT_BASE` names another; the ports of the services follow it.
const DEFAULT_BASE: u16 = 8080;

/// The distance of a program's internal port from its public one.
const INTERNAL: u16 = 1000;

/// Leaves room for the ports of all programs.
const HIGHEST_BASE: u16 = u16::MAX - INTERNAL - 10;

/// One program of the suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Service {
    /// The name of its directory, its package, its program and its database.
    pub name: &'static str,
    /// The distance of its port from the console's.
    offset: u16,
    /// The environment variable in which the console looks for its address.
    pub address_variable: &'static str,
}

const CATALOGUE: Service =
    Service { name: "product-catalog", offset: 1, address_variable: "PRODUCT_CATALOG_URL" };

pub const SEARCH_SYNC: Service =
    Service { name: "search-sync", offset: 4, address_variable: "SEARCH_SYNC_URL" };

/// The services, each with a database of its own.
pub const SERVICES: [Service; 5] = [
    CATALOGUE,
    Service { name: "order", offset: 2, address_variable: "ORDER_URL" },
    Service { name: "inventory", offset: 3, address_variable: "INVENTORY_URL" },
    SEARCH_SYNC,
    Service { name: "behavior-analytics", offset: 5, address_variable: "BEHAVIOR_ANALYTICS_URL" },
];

/// The web interface of the suite. It owns the staff accounts and no data of the shop.
pub const CONSOLE: Service =
    Service { name: "console", offset: 0, address_variable: "CONSOLE_URL" };

/// The programs with a database of their own.
pub fn with_database() -> impl Iterator<Item = Service> {
    SERVICES.into_iter().chain([CONSOLE])
}

/// The names of all databases.
pub fn databases() -> Vec<&'static str> {
    with_database().map(|service| service.name).collect()
}

/// The ports of all programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Ports {
    base: u16,
}

impl Ports {
    /// From `SHOP_PORT_BASE`, or the default ones.
    pub fn from_environment() -> Result<Self, Error> {
        let Ok(value) = env::var("SHOP_PORT_BASE") else { return Ok(Self { base: DEFAULT_BASE }) };
        match value.parse() {
            Ok(base) if (1..=HIGHEST_BASE).contains(&base) => Ok(Self { base }),
            Ok(_) | Err(_) => Err(Error::Variable {
                variable: "SHOP_PORT_BASE",
                value,
                expected: "a port from 1 to 64525",
            }),
        }
    }

    /// `host:port` of a program.
    pub fn address(self, service: Service) -> String {
        format!("127.0.0.1:{}", self.base + service.offset)
    }

    /// `host:port` at which a program serves other programs and operators.
    pub fn internal_address(self, service: Service) -> String {
        format!("127.0.0.1:{}", self.base + service.offset + INTERNAL)
    }

    /// The URL of the catalogue for other services.
    pub fn internal_catalogue_url(self) -> String {
        format!("http://{}", self.internal_address(CATALOGUE))
    }

    /// The URL of a program.
    pub fn url(self, service: Service) -> String {
        format!("http://{}", self.address(service))
    }

    /// The URL of the service with this name; the console's if there is none.
    pub fn url_of(self, name: &str) -> String {
        let service = SERVICES.into_iter().find(|service| service.name == name);
        self.url(service.unwrap_or(CONSOLE))
    }
}

#[cfg(test)]
mod tests {
    use runtime::auth::Scope;
    use xtask::arguments;

    use super::SERVICES;

    #[test]
    fn command_line_knows_all_services_and_scopes() {
        assert_eq!(arguments::SERVICES, SERVICES.map(|service| service.name));
        assert_eq!(arguments::SCOPES, Scope::ALL.map(Scope::as_str));
    }
}
