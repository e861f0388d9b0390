//! A console on a free port. Its services are unreachable unless a test starts an upstream server.

use std::{net::SocketAddr, time::Duration};

use axum::Router;
use console::{
    config::{Audit, Config, Database, Keys, Services},
    server,
};
use reqwest::Url;
use runtime::{
    Lifecycle,
    clients::{ClientLimits, TrustedProxies},
    config::{self, Secret},
    http,
};
use tempfile::TempDir;

use crate::keys::Keyring;

/// A running console; stops when dropped.
pub struct Suite {
    pub url: String,
    pub client: reqwest::Client,
    pub keys: Keyring,
    lifecycle: Lifecycle,
}

/// The settings that tests change.
pub struct Settings {
    pub services: Services,
    pub amqp_url: String,
    pub with_keys: bool,
    pub audit: Audit,
    /// Without one there are no staff accounts.
    pub database_url: Option<String>,
    pub client_limits: ClientLimits,
    pub trusted_proxies: TrustedProxies,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            services: unreachable_services(),
            amqp_url: "amqp://127.0.0.1:1/%2f".into(),
            with_keys: true,
            audit: Audit::default(),
            database_url: None,
            client_limits: ClientLimits::OFF,
            trusted_proxies: TrustedProxies::default(),
        }
    }
}

impl Suite {
    pub async fn start() -> Suite {
        Suite::with(Settings::default()).await
    }

    /// Uses `upstream` for every service.
    pub async fn with_upstream(upstream: Router) -> Suite {
        let services = services_at(&serve(upstream).await);
        Suite::with(Settings { services, ..Settings::default() }).await
    }

    pub async fn with(setting: Settings) -> Suite {
        let folder = TempDir::new().unwrap();
        let keys = Keyring::write(&folder);
        let config = Config {
            http: config::Http {
                client_limits: setting.client_limits,
                trusted_proxies: setting.trusted_proxies,
                ..config::Http::at(SocketAddr::from(([127, 0, 0, 1], 0)))
            },
            broker: config::Broker::at(setting.amqp_url),
            tls: config::Tls::default(),
            services: setting.services,
            keys: if setting.with_keys { keys.files() } else { Keys::default() },
            audit: setting.audit,
            database: Database { url: setting.database_url.map(Secret::from) },
            shutdown: config::Shutdown { timeout: Duration::from_secs(1) },
        };
        let lifecycle = Lifecycle::new(Duration::from_secs(1));
        let router = server::build(&config, &lifecycle).unwrap();
        let address = http::serve(&lifecycle, &config.http, router).await.unwrap();
        let client =
            reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        let client = client.timeout(Duration::from_secs(20)).build().unwrap();
        Suite { url: format!("http://{address}"), client, keys, lifecycle }
    }

    pub fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.client.get(format!("{}{path}", self.url))
    }

    pub fn post(&self, path: &str) -> reqwest::RequestBuilder {
        self.client.post(format!("{}{path}", self.url))
    }
}

impl Drop for Suite {
    fn drop(&mut self) {
        self.lifecycle.abort();
    }
}

/// Serves `router` on a free port until the test's runtime ends.
#[expect(clippy::disallowed_methods, reason = "the server ends with the test's runtime")]
pub async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

/// Every service at the same URL.
pub fn services_at(url: &str) -> Services {
    let url: Url = url.parse().unwrap();
    Services {
        product_catalog_url: url.clone(),
        order_url: url.clone(),
        inventory_url: url.clone(),
        search_sync_url: url.clone(),
        behavior_analytics_url: url,
    }
}

/// Services at an address without a listener.
pub fn unreachable_services() -> Services {
    services_at("http://127.0.0.1:1")
}
