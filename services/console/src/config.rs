//! Configuration: every setting is an argument and an environment variable.

use std::path::PathBuf;

use reqwest::Url;
use runtime::config::Secret;

/// The configuration of `serve`.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub struct Config {
    #[command(flatten)]
    pub http: runtime::config::Http,
    #[command(flatten)]
    pub tls: runtime::config::Tls,
    /// Source of the event feed.
    #[command(flatten)]
    pub broker: runtime::config::Broker,
    #[command(flatten)]
    pub services: Services,
    #[command(flatten)]
    pub keys: Keys,
    #[command(flatten)]
    pub database: Database,
    #[command(flatten)]
    pub audit: Audit,
    #[command(flatten)]
    pub shutdown: runtime::config::Shutdown,
}

/// The base URLs of the services: `http://host:port` or `https://host:port`, with a path if a service has a prefix.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Services")]
pub struct Services {
    /// Address of product-catalog.
    #[arg(long, env = "PRODUCT_CATALOG_URL", default_value = "http://127.0.0.1:8081", value_parser = base_url)]
    pub product_catalog_url: Url,
    /// Address of order.
    #[arg(long, env = "ORDER_URL", default_value = "http://127.0.0.1:8082", value_parser = base_url)]
    pub order_url: Url,
    /// Address of inventory.
    #[arg(long, env = "INVENTORY_URL", default_value = "http://127.0.0.1:8083", value_parser = base_url)]
    pub inventory_url: Url,
    /// Address of search-sync.
    #[arg(long, env = "SEARCH_SYNC_URL", default_value = "http://127.0.0.1:8084", value_parser = base_url)]
    pub search_sync_url: Url,
    /// Address of behavior-analytics.
    #[arg(long, env = "BEHAVIOR_ANALYTICS_URL", default_value = "http://127.0.0.1:8085", value_parser = base_url)]
    pub behavior_analytics_url: Url,
}

/// The names of the services, which are also the names of their exchanges.
pub const SERVICES: [&str; 5] =
    ["product-catalog", "order", "inventory", "search-sync", "behavior-analytics"];

/// The databases: one for each service, and that of the console.
pub(crate) const DATABASES: [&str; 6] =
    ["product-catalog", "order", "inventory", "search-sync", "behavior-analytics", "console"];

impl Services {
    /// Each service with its base URL, in the order of [`SERVICES`].
    pub fn each(&self) -> [(&'static str, &Url); 5] {
        let urls = [
            &self.product_catalog_url,
            &self.order_url,
            &self.inventory_url,
            &self.search_sync_url,
            &self.behavior_analytics_url,
        ];
        std::array::from_fn(|i| (SERVICES[i], urls[i]))
    }

    /// Looks a service up by name.
    pub fn find(&self, name: &str) -> Option<(&'static str, &Url)> {
        self.each().into_iter().find(|(service, _)| *service == name)
    }
}

/// Keys for tokens. Without the private key the shop takes no orders; without any key the operations page is closed.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Tokens")]
pub struct Keys {
    /// File with the Ed25519 private key (DER, PKCS#8) that signs shoppers' tokens.
    #[arg(long, env = "TOKEN_KEY_FILE")]
    pub token_key_file: Option<PathBuf>,
    /// File with the Ed25519 public key (DER, SPKI) or the key set (JSON Web Key Set) that verifies tokens; without it, the private key
    /// does.
    #[arg(long, env = "TOKEN_PUBLIC_KEY_FILE")]
    pub token_public_key_file: Option<PathBuf>,
    #[command(flatten)]
    pub oidc: runtime::config::Oidc,
}

/// The console's own database. Without it there are no staff accounts, and renewal tokens of shoppers can be used more than once.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Database")]
pub struct Database {
    /// Address of the console's database, `postgres://user:password@host:port/name`, or `file:` and the path of a file that holds it. Secret.
    #[arg(
        id = "database_url",
        long = "database-url",
        env = "DATABASE_URL",
        value_name = "DATABASE_URL",
        hide_env_values = true,
        value_parser = runtime::config::secret
    )]
    pub url: Option<Secret>,
}

/// The console's own database, for the commands that need it.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub struct RequiredDatabase {
    /// Address of the console's database; `migrate` connects as the owner of its tables. Secret.
    #[arg(
        id = "database_url",
        long = "database-url",
        env = "DATABASE_URL",
        value_name = "DATABASE_URL",
        hide_env_values = true,
        value_parser = runtime::config::secret
    )]
    pub url: Secret,
    #[command(flatten)]
    pub tls: runtime::config::Tls,
}

/// The audit of the suite. Without the databases it is off.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Audit")]
pub struct Audit {
    /// The databases of all services, such as `order=postgres://user:password@host:port/order,inventory=postgres://…`, or `file:` and
    /// the path of a file that holds them. The audit only reads, with the role `audit`. Secret.
    #[arg(
        id = "audit_database_urls",
        long = "audit-database-urls",
        env = "AUDIT_DATABASE_URLS",
        value_name = "AUDIT_DATABASE_URLS",
        hide_env_values = true,
        value_parser = runtime::config::secret
    )]
    pub database_urls: Option<Secret>,
    /// RabbitMQ's management API, `http://user:password@host:port`. Without it the audit does not check queues and streams.
    /// Secret.
    #[arg(
        id = "rabbitmq_management_url",
        long = "management-url",
        env = "RABBITMQ_MANAGEMENT_URL",
        value_name = "RABBITMQ_MANAGEMENT_URL",
        hide_env_values = true,
        value_parser = runtime::config::secret
    )]
    pub management_url: Option<Secret>,
}

/// Parses the base URL of a service; for `value_parser`.
pub(crate) fn base_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    let is_base = matches!(url.scheme(), "http" | "https")
        && url.query().is_none()
        && url.fragment().is_none();
    if is_base { Ok(url) } else { Err("not a URL such as http://host:port".to_owned()) }
}

/// Appends `path` to the base URL of a service. Escaped characters stay escaped.
pub(crate) fn join_path(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url
}

#[cfg(test)]
mod tests {
    use super::{base_url, join_path};

    #[test]
    fn base_url_is_http_without_a_query() {
        for bad in ["", "order:8082", "ftp://order", "http://order?a=b", "http://"] {
            assert!(base_url(bad).is_err(), "{bad}");
        }
        assert!(base_url("http://order:8082").is_ok());
        assert!(base_url("https://order:8443").is_ok());
    }

    #[test]
    fn escaped_characters_in_a_path_stay_escaped() {
        let base = base_url("http://inventory:8083/prefix/").unwrap();
        let url = join_path(&base, "/v1/stock/KB%2FF87%20x");
        assert_eq!(url.as_str(), "http://inventory:8083/prefix/v1/stock/KB%2FF87%20x");
    }
}
