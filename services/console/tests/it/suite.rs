//! A console on a free port, before services that are not there unless a test puts one up.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use console::app;
use console::config::{Config, Keys, Services};
use reqwest::Url;
use runtime::{Lifecycle, config, http};
use tempfile::TempDir;

use crate::keys::Keyring;

/// A running console; it ends with this value.
pub struct Suite {
    pub url: String,
    pub client: reqwest::Client,
    pub keys: Keyring,
    lifecycle: Lifecycle,
}

/// What of a console differs from test to test.
pub struct Setting {
    pub services: Services,
    pub amqp_url: String,
    pub with_keys: bool,
}

impl Default for Setting {
    fn default() -> Setting {
        Setting { services: nowhere(), amqp_url: "amqp://127.0.0.1:1/%2f".into(), with_keys: true }
    }
}

impl Suite {
    pub async fn start() -> Suite {
        Suite::with(Setting::default()).await
    }

    /// All services are this one upstream.
    pub async fn before(upstream: Router) -> Suite {
        let services = everywhere(&serve(upstream).await);
        Suite::with(Setting { services, ..Setting::default() }).await
    }

    pub async fn with(setting: Setting) -> Suite {
        let folder = TempDir::new().unwrap();
        let keys = Keyring::write(&folder);
        let config = Config {
            http: config::Http::at(SocketAddr::from(([127, 0, 0, 1], 0))),
            broker: config::Broker::at(setting.amqp_url),
            services: setting.services,
            keys: if setting.with_keys { keys.files() } else { Keys::default() },
            shutdown: config::Shutdown { timeout: Duration::from_secs(1) },
        };
        let lifecycle = Lifecycle::new(Duration::from_secs(1));
        let router = app::build(&config, &lifecycle).unwrap();
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
#[expect(clippy::disallowed_methods, reason = "an upstream of a test ends with the test")]
pub async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

/// Every service at one address.
pub fn everywhere(url: &str) -> Services {
    let url: Url = url.parse().unwrap();
    Services {
        product_catalog_url: url.clone(),
        order_url: url.clone(),
        inventory_url: url.clone(),
        search_sync_url: url.clone(),
        behavior_analytics_url: url,
    }
}

/// Services at an address where nobody listens.
pub fn nowhere() -> Services {
    everywhere("http://127.0.0.1:1")
}
