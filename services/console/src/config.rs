//! What the console is told from outside.

use std::path::PathBuf;

use reqwest::Url;

/// Everything that `serve` needs.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub struct Config {
    /// Where it listens.
    #[command(flatten)]
    pub http: runtime::config::Http,
    /// Where it overhears the events from.
    #[command(flatten)]
    pub broker: runtime::config::Broker,
    /// Where the services are.
    #[command(flatten)]
    pub services: Services,
    /// What it signs and checks tokens with.
    #[command(flatten)]
    pub keys: Keys,
    /// How it stops.
    #[command(flatten)]
    pub shutdown: runtime::config::Shutdown,
}

/// Where the services are: `http://host:port`, with a path if they stand behind a prefix.
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

/// The services by their directory names, which are also the names of their exchanges.
pub const SERVICES: [&str; 5] =
    ["product-catalog", "order", "inventory", "search-sync", "behavior-analytics"];

impl Services {
    /// Each service with its address, in the order of [`SERVICES`].
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

    /// The address of the service with this name.
    pub fn find(&self, name: &str) -> Option<(&'static str, &Url)> {
        self.each().into_iter().find(|(service, _)| *service == name)
    }
}

/// Keys of tokens. Without the private key the shop cannot be ordered in; without either nobody can look at operations.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Tokens")]
pub struct Keys {
    /// File with the Ed25519 private key (DER, PKCS#8) that shoppers' tokens are signed with.
    #[arg(long, env = "TOKEN_KEY_FILE")]
    pub token_key_file: Option<PathBuf>,
    /// File with the Ed25519 public key (DER, SPKI) that tokens of operators must be signed with; needed only where there
    /// is no private key.
    #[arg(long, env = "TOKEN_PUBLIC_KEY_FILE")]
    pub token_public_key_file: Option<PathBuf>,
}

/// Reads the address of a service; for `value_parser`.
pub(crate) fn base_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    let plain = url.scheme() == "http" && url.query().is_none() && url.fragment().is_none();
    if plain { Ok(url) } else { Err("not an address such as http://host:port".to_owned()) }
}

/// The address of `path` under the address of a service; both keep their escapes.
pub(crate) fn under(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url
}

#[cfg(test)]
mod tests {
    use super::{base_url, under};

    #[test]
    fn an_address_is_plain_http_without_a_query() {
        for bad in ["", "order:8082", "https://order", "ftp://order", "http://order?a=b", "http://"]
        {
            assert!(base_url(bad).is_err(), "{bad}");
        }
        assert!(base_url("http://order:8082").is_ok());
    }

    #[test]
    fn escapes_in_a_path_stay_escapes() {
        let base = base_url("http://inventory:8083/prefix/").unwrap();
        let url = under(&base, "/v1/stock/KB%2FF87%20x");
        assert_eq!(url.as_str(), "http://inventory:8083/prefix/v1/stock/KB%2FF87%20x");
    }
}
